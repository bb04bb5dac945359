/** That an operation's function answers with the fields that its schema has, each of them, and no other. */
import type { Problem } from './check-commands.ts';
import { assignmentsTo, readCommand, type Script, type ScriptFunction, tableEntries, tableIn } from './script.ts';
import type { Shape } from './shapes.ts';
import { bare, childOf, children, lineOf, namedChildren, type Node, nodesOf } from './syntax.ts';

export function checkAnswer(script: Script, entry: ScriptFunction, answer: Shape): Iterable<Problem> {
	return new Checker(script).returns(entry, answer);
}

class Checker {
	readonly #script: Script;
	/** Functions whose results are being looked at: one that returns its own is looked at once. */
	readonly #within: string[] = [];

	constructor(script: Script) {
		this.#script = script;
	}

	*returns(fn: ScriptFunction, shape: Shape): Iterable<Problem> {
		if (this.#within.includes(fn.name)) return;
		this.#within.push(fn.name);
		let some = false;
		for (const statement of nodesOf(fn.body, 'flow_control_statement')) {
			if (!statement.text.toLowerCase().startsWith('return')) continue;
			const [value] = [...namedChildren(statement)];
			some = true;
			if (value) yield* this.#check(itemOf(value) ?? value, shape, fn);
			else yield { line: lineOf(statement), message: `${fn.name} returns nothing` };
		}
		if (!some) yield { line: fn.line, message: `${fn.name} returns nothing` };
		this.#within.pop();
	}

	*#check(node: Node, shape: Shape, fn: ScriptFunction): Iterable<Problem> {
		if (!shape.fields && !shape.items) return;
		const value = bare(node);
		const table = tableIn(value);
		if (table) yield* this.#table(table, shape, fn);
		else if (value.type === 'command') {
			const callee = this.#script.functions.get(readCommand(value).name);
			if (callee) yield* this.returns(callee, shape);
			else yield unknown(value);
		} else if (value.type === 'variable') yield* this.#variable(value, shape, fn);
		else yield unknown(value);
	}

	*#table(table: Node, shape: Shape, fn: ScriptFunction): Iterable<Problem> {
		if (!shape.fields) {
			yield { line: lineOf(table), message: `${fn.name} answers with a table, not a list` };
			return;
		}
		const entries = tableEntries(table);
		for (const { key, value } of entries) {
			const field = shape.fields.get(key);
			if (field) yield* this.#check(value, field, fn);
			else yield { line: lineOf(table), message: `${fn.name} answers with ${key}, which no answer has` };
		}
		for (const key of shape.required)
			if (!entries.some(entry => entry.key === key))
				yield { line: lineOf(table), message: `${fn.name} does not answer with ${key}` };
	}

	*#variable(variable: Node, shape: Shape, fn: ScriptFunction): Iterable<Problem> {
		if (variable.text === '$null') {
			if (!shape.nullable) yield { line: lineOf(variable), message: `${fn.name} answers with nothing` };
			return;
		}
		const assigned = assignmentsTo(variable.text.slice(1), fn.body);
		if (assigned.length === 0) yield unknown(variable);
		for (const { operator, value } of assigned) {
			const item = itemOf(value);
			if (operator === '+=' && item && shape.items) yield* this.#check(item, shape.items, fn);
			else if (!isEmptyList(value)) yield* this.#check(value, shape, fn);
		}
	}
}

/** Of `, value`: a list of that alone, which PowerShell does not take apart. */
function itemOf(node: Node): Node | undefined {
	const value = bare(node);
	const [first] = [...children(value)];
	if (value.type !== 'expression_with_unary_operator' || first?.text !== ',') return undefined;
	return [...namedChildren(value)].at(-1);
}

function isEmptyList(node: Node): boolean {
	const value = bare(node);
	return value.type === 'array_expression' && childOf(value, 'statement_list') === undefined;
}

function unknown(value: Node): Problem {
	return { line: lineOf(value), message: `what is answered cannot be followed: ${value.text.slice(0, 60)}` };
}
