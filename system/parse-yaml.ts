import {
	type Document,
	isAlias,
	isCollection,
	isMap,
	isNode,
	isScalar,
	isSeq,
	LineCounter,
	parseDocument,
	visit,
} from 'yaml';
import type * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { issueText, keysOf, nearestIssue, refusalText } from '../model/issue-text.ts';

type FileCode = 'config_invalid' | 'spec_invalid';

/** YAML text as what `schema` describes; the error says file, line, column and what is accepted. */
export function parseYaml<S extends z.ZodType>(text: string, path: string, schema: S, code: FileCode): z.output<S> {
	return readYaml(text, path, schema, code).value;
}

export interface YamlFile<T> {
	value: T;
	/** `FILE:LINE:COLUMN` of the part that `keys` lead to: for errors that only its reader can know of. */
	placeOf: (keys: readonly PropertyKey[]) => string;
}

/** The same for a reader who has more to say about the file than its schema has. */
export function readYaml<S extends z.ZodType>(
	text: string,
	path: string,
	schema: S,
	code: FileCode,
): YamlFile<z.output<S>> {
	const lines = new LineCounter();
	const place = (offset: number | undefined) => {
		if (offset === undefined) return path;
		const { line, col } = lines.linePos(offset);
		return `${path}:${line}:${col}`;
	};
	const refused = (offset: number | undefined, what: string) =>
		new RouseError(code, `${place(offset)}: ${what}`, { hint: 'docs/cli.md shows what is accepted' });
	// Warnings of the parser would go to stderr past us.
	const document = parseDocument(text, { prettyErrors: false, logLevel: 'error', lineCounter: lines });
	const broken = document.errors[0];
	if (broken) throw refused(broken.pos[0], broken.message);
	refuseOddities(document, refused);
	const result = schema.safeParse(document.toJS({ maxAliasCount }) ?? {});
	if (result.success) return { value: result.data, placeOf: keys => place(positionOf(document, keys)) };
	const found = result.error.issues[0];
	if (found === undefined) throw new RouseError(code, `${path}: not accepted`);
	const issue = nearestIssue(found);
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

/** Where the key, or the entry of a list, is that `keys` lead to; of what is not there, where it would belong. */
function positionOf(document: Document, keys: readonly unknown[]): number | undefined {
	if (keys.length === 0) return undefined;
	const parent = keys.length > 1 ? document.getIn(keys.slice(0, -1), true) : document.contents;
	return placeIn(parent, keys.at(-1)) ?? positionOf(document, keys.slice(0, -1));
}

function placeIn(parent: unknown, key: unknown): number | undefined {
	if (isSeq(parent) && typeof key === 'number') {
		const entry = parent.items[key];
		return isNode(entry) ? entry.range?.[0] : undefined;
	}
	if (!isMap(parent)) return undefined;
	const pair = parent.items.find(item => isScalar(item.key) && item.key.value === key);
	return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
}
