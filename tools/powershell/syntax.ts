/** PowerShell as a syntax tree, by tree-sitter's grammar. */
import { createRequire } from 'node:module';
// It is CommonJS, whose names Node does not find.
import treeSitter, { type Node } from '@vscode/tree-sitter-wasm';

export type { Node };

const grammar = createRequire(import.meta.url).resolve('@vscode/tree-sitter-wasm/wasm/tree-sitter-powershell.wasm');

let loading: ReturnType<typeof load> | undefined;

async function load() {
	const { Language, Parser } = treeSitter;
	await Parser.init();
	return new Parser().setLanguage(await Language.load(grammar));
}

export async function parsePowerShell(text: string): Promise<Node> {
	const tree = (await (loading ??= load())).parse(text);
	if (tree === null) throw new Error('the text was not parsed');
	return tree.rootNode;
}

export function* children(node: Node): Iterable<Node> {
	for (let index = 0; index < node.childCount; index++) {
		const child = node.child(index);
		if (child !== null) yield child;
	}
}

export function* namedChildren(node: Node): Iterable<Node> {
	for (const child of children(node)) if (child.isNamed) yield child;
}

/** The node and all below it, from the left to the right. */
export function* nodesIn(node: Node): Iterable<Node> {
	yield node;
	for (const child of children(node)) yield* nodesIn(child);
}

export function* nodesOf(node: Node, ...types: readonly string[]): Iterable<Node> {
	for (const each of nodesIn(node)) if (types.includes(each.type)) yield each;
}

export function childOf(node: Node, type: string): Node | undefined {
	for (const child of children(node)) if (child.type === type) return child;
	return undefined;
}

/** Layers that say nothing by themselves: an expression is wrapped into each level of precedence, and into brackets. */
export function bare(node: Node): Node {
	const transparent =
		/_expression$|^pipeline(_chain)?$|^statement_list$|^parenthesized_expression$/.test(node.type) &&
		!meaningful.has(node.type);
	if (!transparent || node.childCount === 0) return node;
	const named = [...namedChildren(node)];
	const [only] = named;
	if (named.length !== 1 || only === undefined) return node;
	// An operator stands beside its operand as a child without a name.
	const operators = [...children(node)].filter(child => !child.isNamed && !'()'.includes(child.type));
	return operators.length === 0 ? bare(only) : node;
}

const meaningful = new Set([
	'cast_expression',
	'hash_literal_expression',
	'script_block_expression',
	'assignment_expression',
	'invokation_expression',
	'array_expression',
	'sub_expression',
]);

export function lineOf(node: Node): number {
	return node.startPosition.row + 1;
}

/** Of a literal in quotes that has no variable in it, or undefined. */
export function literalText(node: Node): string | undefined {
	const inner = bare(node);
	if (inner.type !== 'string_literal') return undefined;
	const { text } = inner;
	if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'");
	return /[$`]/.test(text) ? undefined : text.slice(1, -1);
}
