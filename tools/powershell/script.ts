/** What the checks need of a script: its functions, and its commands with what they are given. */
import { bare, childOf, lineOf, namedChildren, type Node, nodesOf } from './syntax.ts';

export interface Argument {
	/** As it is written, without the dash; `undefined`: the value has no name. */
	parameter: string | undefined;
	value: Node | undefined;
}

export interface Command {
	name: string;
	line: number;
	node: Node;
	arguments: readonly Argument[];
	/** Names of variables whose tables are given: `@name`. */
	splats: readonly string[];
}

export interface ScriptFunction {
	name: string;
	line: number;
	parameters: readonly string[];
	body: Node;
}

export interface Script {
	root: Node;
	functions: ReadonlyMap<string, ScriptFunction>;
	commands: readonly Command[];
}

export function readScript(root: Node): Script {
	const functions = [...nodesOf(root, 'function_statement')].map(readFunction);
	return {
		root,
		functions: new Map(functions.map(each => [each.name, each])),
		commands: [...nodesOf(root, 'command')].map(readCommand),
	};
}

function readFunction(node: Node): ScriptFunction {
	const block = childOf(node, 'script_block');
	const list = block && childOf(block, 'param_block');
	const parameters = list ? [...nodesOf(list, 'script_parameter')].map(parameterName) : [];
	return { name: childOf(node, 'function_name')?.text ?? '', line: lineOf(node), parameters, body: node };
}

function parameterName(node: Node): string {
	return childOf(node, 'variable')?.text.slice(1) ?? '';
}

export function readCommand(node: Node): Command {
	const name = childOf(node, 'command_name')?.text ?? node.text;
	const given: { parameter: string | undefined; value: Node | undefined }[] = [];
	const splats: string[] = [];
	const elements = childOf(node, 'command_elements');
	for (const element of elements ? namedChildren(elements) : []) {
		if (element.type === 'command_argument_sep' || element.type === 'redirection') continue;
		if (element.type === 'command_parameter') {
			given.push({ parameter: element.text.replace(/^-|:$/g, ''), value: undefined });
			continue;
		}
		const value = bare(element);
		const last = given.at(-1);
		if (value.type === 'variable' && value.text.startsWith('@')) splats.push(value.text.slice(1));
		else if (last !== undefined && last.parameter !== undefined && last.value === undefined) last.value = value;
		else given.push({ parameter: undefined, value });
	}
	return { name, line: lineOf(node), node, arguments: given, splats };
}

/** Of a hash table as it is written. */
export function tableEntries(table: Node): { key: string; value: Node }[] {
	const body = childOf(table, 'hash_literal_body');
	if (!body) return [];
	return [...namedChildren(body)]
		.filter(({ type }) => type === 'hash_entry')
		.map(entry => {
			const [key, value] = [...namedChildren(entry)];
			if (key === undefined || value === undefined) throw new Error(`line ${lineOf(entry)}: an entry without a value`);
			return { key: key.text.replace(/^['"]|['"]$/g, ''), value: bare(value) };
		});
}

/** What is assigned to a variable within a node: `=` and `+=`, in the order of the text. */
export function assignmentsTo(name: string, within: Node): { operator: string; value: Node; line: number }[] {
	return [...nodesOf(within, 'assignment_expression')].flatMap(node => {
		const [left, operator, right] = [...namedChildren(node)];
		if (left === undefined || operator === undefined || right === undefined) return [];
		const variable = bare(childless(left));
		if (variable.type !== 'variable' || variable.text.slice(1).toLowerCase() !== name.toLowerCase()) return [];
		return [{ operator: operator.text, value: bare(right), line: lineOf(node) }];
	});
}

/** `[ordered]@{}` and `@{}` alike. */
export function tableIn(value: Node): Node | undefined {
	const inner = bare(value);
	if (inner.type === 'hash_literal_expression') return inner;
	const cast = inner.type === 'expression_with_unary_operator' ? childOf(inner, 'cast_expression') : inner;
	if (cast?.type !== 'cast_expression') return undefined;
	const operand = [...namedChildren(cast)].at(-1);
	return operand && bare(operand).type === 'hash_literal_expression' ? bare(operand) : undefined;
}

function childless(left: Node): Node {
	const [only] = [...namedChildren(left)];
	return only ?? left;
}
