import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { digestOf } from './chunk.ts';

/** What every JSON object of a repository says of itself (docs/format.md, "JSON objects"). */
const envelopeSchema = z.looseObject({
	type: z.string(),
	version: z.int().min(0),
	features: z.array(z.string()),
});

/** Format version that this program writes and reads. */
export const formatVersion = 0;

/** Features that this program knows: none yet. */
const knownFeatures: readonly string[] = [];

/**
 * Canonical JSON (keys sorted by code unit, no white space, UTF-8) of `content` with type, version and features, and
 * with a checksum over all of that, so that no flipped bit can turn one configuration into another.
 */
export function sealJson(type: string, content: object): Buffer {
	const body = { ...content, type, version: formatVersion, features: [] };
	return Buffer.from(canonicalJson({ ...body, checksum: checksumOf(body) }));
}

/**
 * The content of such an object. `repository_unsupported`: another version, or a feature this program does not know.
 * `format_damaged`: not JSON, not canonical, wrong checksum, an unknown or missing field. `key` is for the message.
 */
export function openSealedJson<T>(type: string, schema: z.ZodType<T>, bytes: Uint8Array, key: string): T {
	const text = Buffer.from(bytes).toString('utf8');
	const document = parseEnvelope(text, key);
	if (document.type !== type) throw damaged(key, `is of type ${shown(document.type)} instead of ${type}`);
	if (document.version !== formatVersion)
		throw unsupported(`${key} has format version ${document.version}; this program knows ${formatVersion}`);
	const unknown = document.features.filter(feature => !knownFeatures.includes(feature));
	if (unknown.length > 0)
		throw unsupported(`${key} needs features this program does not know: ${shown(unknown.join(', '))}`);
	if (canonicalOrNot(document) !== text) throw damaged(key, 'is not canonical JSON');
	const { checksum, ...body } = document;
	const expected = checksumOf(body);
	if (checksum !== expected) throw damaged(key, `has the checksum ${shown(checksum)} instead of ${expected}`);
	const { type: _type, version: _version, features: _features, ...content } = body;
	const parsed = schema.safeParse(content);
	if (!parsed.success) throw damaged(key, shown(refusalText(parsed.error)), parsed.error);
	return parsed.data;
}

function parseEnvelope(text: string, key: string): z.infer<typeof envelopeSchema> {
	let document: unknown;
	try {
		document = JSON.parse(text);
	} catch (cause) {
		throw damaged(key, `is not JSON (${text.length} characters)`, cause);
	}
	const parsed = envelopeSchema.safeParse(document);
	if (!parsed.success) throw damaged(key, 'does not say its type, version and features', parsed.error);
	return parsed.data;
}

/** Undefined for what is nested deeper than the stack: no object of ours is. */
function canonicalOrNot(document: object): string | undefined {
	try {
		return canonicalJson(document);
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
	return digestOf(Buffer.from(canonicalJson(body)));
}

/** Only plain JSON values; `undefined` members are left out, as JSON.stringify does. */
export function canonicalJson(value: unknown): string {
	return JSON.stringify(value, (_key, member: unknown) => {
		if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
		return Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
	});
}

function damaged(key: string, why: string, cause?: unknown): RouseError {
	return new RouseError('format_damaged', `${key} ${why}`, {
		cause,
		hint: 'put this object back from a copy of the repository',
	});
}

function unsupported(message: string): RouseError {
	return new RouseError('repository_unsupported', message, { hint: 'use a newer version of Rouse' });
}
