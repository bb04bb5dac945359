/** That an operation's function reads each field of its request, and no other. */
import type { Problem } from './check-commands.ts';
import { readCommand, type Script, type ScriptFunction } from './script.ts';
import type { Shape } from './shapes.ts';
import { bare, childOf, lineOf, namedChildren, type Node, nodesOf } from './syntax.ts';

interface Known {
	shape: Shape;
	/** `Request.portal.address` */
	path: string;
}

type Variables = ReadonlyMap<string, Known>;

/** `readBefore`: what is read of every request by whoever calls the function. */
export function* checkRequest(
	script: Script,
	entry: ScriptFunction,
	request: Shape,
	readBefore: ReadonlySet<string>,
): Iterable<Problem> {
	const reader = new Reader(script);
	reader.read(entry, new Map([['request', { shape: request, path: 'Request' }]]));
	yield* reader.problems;
	for (const path of pathsOf(request, 'Request'))
		if (!reader.used.has(path) && !readBefore.has(path))
			yield { line: entry.line, message: `${entry.name} does not read $${path}` };
}

function* pathsOf(shape: Shape, path: string): Iterable<string> {
	for (const [name, field] of shape.fields ?? []) {
		yield `${path}.${name}`;
		yield* pathsOf(field, `${path}.${name}`);
	}
	if (shape.items) yield* pathsOf(shape.items, `${path}[]`);
}

class Reader {
	readonly used = new Set<string>();
	readonly problems: Problem[] = [];
	readonly #script: Script;
	readonly #read = new Set<string>();

	constructor(script: Script) {
		this.#script = script;
	}

	/** Follows the values into the functions that they are handed to. */
	read(fn: ScriptFunction, given: Variables): void {
		const key = `${fn.name} ${[...given].map(([name, { path }]) => `${name}=${path}`).join(' ')}`;
		if (this.#read.has(key)) return;
		this.#read.add(key);
		const variables = new Map(given);
		for (const loop of nodesOf(fn.body, 'foreach_statement')) this.#bindItem(loop, variables);
		for (const access of nodesOf(fn.body, 'member_access')) this.#resolve(access, variables);
		for (const node of nodesOf(fn.body, 'command')) this.#follow(node, variables);
	}

	#bindItem(loop: Node, variables: Map<string, Known>): void {
		const [variable, list] = [...namedChildren(loop)];
		const known = list && this.#resolve(list, variables);
		if (variable && known?.shape.items)
			variables.set(nameOf(variable), { shape: known.shape.items, path: `${known.path}[]` });
	}

	#follow(node: Node, variables: Variables): void {
		const command = readCommand(node);
		const callee = this.#script.functions.get(command.name);
		if (!callee) return;
		const given = command.arguments.flatMap(({ parameter, value }) => {
			const known = value && this.#resolve(value, variables);
			return known && parameter !== undefined ? [[parameter.toLowerCase(), known] as const] : [];
		});
		if (given.length > 0) this.read(callee, new Map(given));
	}

	/** What a value is, when it comes from the request. */
	#resolve(node: Node, variables: Variables): Known | undefined {
		const value = bare(node);
		if (value.type === 'variable') return variables.get(nameOf(value));
		if (value.type === 'array_expression') {
			const inner = childOf(value, 'statement_list');
			return inner && this.#resolve(inner, variables);
		}
		if (value.type !== 'member_access') return undefined;
		const [base, member] = [...namedChildren(value)];
		const known = base && this.#resolve(base, variables);
		if (!known || !member || known.shape.keyed) return undefined;
		if (known.shape.items && member.text === 'Length') return undefined;
		const path = `${known.path}.${member.text}`;
		const field = known.shape.fields?.get(member.text);
		if (!field) {
			this.problems.push({ line: lineOf(value), message: `no request has $${path}` });
			return undefined;
		}
		this.used.add(path);
		return { shape: field, path };
	}
}

function nameOf(variable: Node): string {
	return variable.text.slice(1).toLowerCase();
}
