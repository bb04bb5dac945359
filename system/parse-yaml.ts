import { type Document, isAlias, isCollection, isNode, LineCounter, parseDocument, visit } from 'yaml';
import type * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { issueText, keysOf, refusalText } from '../model/issue-text.ts';

/** YAML text as what `schema` describes; the error says file, line, column and what is accepted. */
export function parseYaml<S extends z.ZodType>(
	text: string,
	path: string,
	schema: S,
	code: 'config_invalid' | 'spec_invalid',
): z.output<S> {
	const lines = new LineCounter();
	const refused = (offset: number | undefined, what: string) => {
		const { line, col } = lines.linePos(offset ?? 0);
		return new RouseError(code, `${path}${offset === undefined ? '' : `:${line}:${col}`}: ${what}`, {
			hint: 'docs/cli.md shows what is accepted',
		});
	};
	// Warnings of the parser would go to stderr past us.
	const document = parseDocument(text, { prettyErrors: false, logLevel: 'error', lineCounter: lines });
	const broken = document.errors[0];
	if (broken) throw refused(broken.pos[0], broken.message);
	refuseOddities(document, refused);
	const result = schema.safeParse(document.toJS({ maxAliasCount }) ?? {});
	if (result.success) return result.data;
	const issue = result.error.issues[0];
	if (issue === undefined) throw new RouseError(code, `${path}: not accepted`);
	const keys = keysOf(issue);
	if (keys.length === 0) throw refused(0, `not keys with values, each on a line: ${issueText(issue)}`);
	throw refused(positionOf(document, keys), refusalText({ issues: [issue] }));
}

/** More than anybody writes, and few enough that what they stand for fits memory. */
const maxAliases = 100;
/** The library's own limit, off: it has no place to tell, and ours comes before it. */
const maxAliasCount = -1;

/** What YAML allows and no schema of ours can describe: it would end in an error without a place. */
function refuseOddities(document: Document, refused: (offset: number | undefined, what: string) => RouseError): void {
	let aliases = 0;
	visit(document, {
		Alias: (_, node) => {
			const at = node.range?.[0];
			const target = node.resolve(document);
			if (target === undefined) throw refused(at, `*${node.source}: nothing before it is called &${node.source}`);
			if (++aliases > maxAliases) throw refused(at, `more than ${maxAliases} aliases`);
			if (isCollection(target) && holdsAlias(target))
				throw refused(at, `*${node.source} stands for something with an alias in it, which is not read`);
		},
		Pair: (_, { key }) => {
			if (isCollection(key)) throw refused(key.range?.[0], 'a key must be a plain text, not a list or a map');
		},
	});
}

function holdsAlias(target: Parameters<typeof visit>[0]): boolean {
	let found = false;
	visit(target, {
		Node: (_, node) => {
			if (!isAlias(node)) return undefined;
			found = true;
			return visit.BREAK;
		},
	});
	return found;
}

/** Where the key is that `keys` lead to. */
function positionOf(document: Document, keys: readonly unknown[]): number | undefined {
	const parent = keys.length > 1 ? document.getIn(keys.slice(0, -1), true) : document.contents;
	if (!isCollection(parent)) return undefined;
	for (const item of parent.items) {
		if (typeof item !== 'object' || item === null || !('key' in item)) continue;
		const { key } = item;
		if (isNode(key) && 'value' in key && key.value === keys.at(-1)) return key.range?.[0];
	}
	return undefined;
}
