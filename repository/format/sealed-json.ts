import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { sha256Of } from './sha256.ts';

/** What every JSON object of a repository says of itself (docs/format.md, "JSON objects"). */
const envelopeSchema = z.looseObject({ type: z.string(), version: z.int().min(0) });

/** Format version that this program writes and reads. */
export const formatVersion = 1;

/**
 * Canonical JSON (RFC 8785) of `content` with type and version, and with a checksum over all of that, so that no flipped
 * bit can turn one configuration into another.
 */
export function sealJson(type: string, content: object): Buffer {
	const body = { ...content, type, version: formatVersion };
	return Buffer.from(canonicalJson({ ...body, checksum: checksumOf(body) }));
}

/**
 * The content of such an object. `format_damaged`: not JSON, not canonical, wrong checksum, another type, an unknown or
 * missing field; `repository_unsupported`: whole, and of another version. Checksum before version: a flipped bit is
 * damage, never "too new". `key` is for the message.
 */
export function openSealedJson<T>(type: string, schema: z.ZodType<T>, bytes: Uint8Array, key: string): T {
	const document = parseObject(Buffer.from(bytes).toString('utf8'), key);
	// Bytes, not text: what is no UTF-8 would be replaced on the way.
	const canonical = canonicalOrNot(document);
	if (canonical === undefined || !Buffer.from(canonical).equals(bytes))
		throw damagedObject(key, 'is not canonical JSON');
	const { checksum, ...body } = document;
	const expected = checksumOf(body);
	if (checksum !== expected) throw damagedObject(key, `has the checksum ${shown(checksum)} instead of ${expected}`);
	const envelope = envelopeSchema.safeParse(body);
	if (!envelope.success) throw damagedObject(key, 'does not say its type and version', envelope.error);
	const { type: found, version, ...content } = envelope.data;
	if (found !== type) throw damagedObject(key, `is of type ${shown(found)} instead of ${type}`);
	if (version !== formatVersion) throw unsupported(key, version);
	const parsed = schema.safeParse(content);
	if (!parsed.success) throw damagedObject(key, shown(refusalText(parsed.error)), parsed.error);
	return parsed.data;
}

function parseObject(text: string, key: string): Record<string, unknown> {
	let document: unknown;
	try {
		document = JSON.parse(text);
	} catch (cause) {
		throw damagedObject(key, `is not JSON (${text.length} characters)`, cause);
	}
	const parsed = z.record(z.string(), z.unknown()).safeParse(document);
	if (!parsed.success) throw damagedObject(key, 'is no JSON object', parsed.error);
	return parsed.data;
}

/** No object of ours nests deeper (docs/format.md, "JSON objects"), and an enemy's shall not end a recursion. */
const maxDepth = 32;

/** Whether it may be a member of such an object. */
export function isShallowMember(value: object): boolean {
	return canonicalOrNot(value, 1) !== undefined;
}

/** Undefined for what is nested too deep. */
function canonicalOrNot(document: object, depth = 0): string | undefined {
	try {
		return canonicalJson(document, depth);
	} catch (error) {
		if (error instanceof RangeError) return undefined;
		throw error;
	}
}

/** For a message, whatever somebody has written there. */
function shown(value: unknown): string {
	if (typeof value !== 'string') return `of type ${typeof value}`;
	return value.length > 300 ? `${value.slice(0, 300)}…` : value;
}

function checksumOf(body: object): string {
	return sha256Of(Buffer.from(canonicalJson(body)));
}

/**
 * RFC 8785 of plain JSON values; `undefined` members are left out, as JSON.stringify does. By hand: an object made anew with
 * its keys in order would still have those first that look like numbers.
 */
export function canonicalJson(value: unknown, depth = 0): string {
	if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
	if (depth > maxDepth) throw new RangeError(`JSON nests more than ${maxDepth} deep`);
	if (Array.isArray(value)) return `[${value.map(member => canonicalJson(member, depth + 1)).join(',')}]`;
	const members = Object.entries(value)
		.filter(([, member]) => member !== undefined)
		.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
	return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member, depth + 1)}`).join(',')}}`;
}

/** `format_damaged`. `why` goes on after the key. */
export function damagedObject(key: string, why: string, cause?: unknown): RouseError {
	return new RouseError('format_damaged', `${key} ${why}`, {
		cause,
		hint: 'put this object back from a copy of the repository',
	});
}

function unsupported(key: string, version: number): RouseError {
	const why =
		version < formatVersion
			? 'of before the first release, which nothing reads any more'
			: `this program knows ${formatVersion}`;
	return new RouseError('repository_unsupported', `${key} has format version ${version}: ${why}`, {
		hint:
			version < formatVersion
				? 'make a new repository with `rouse repo init` and import the machines again'
				: 'use a newer version of Rouse',
	});
}
