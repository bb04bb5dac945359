import { type ErrorDocument, isErrorDocument, RouseError } from '../../../model/errors.ts';
import { frameHeadBytes, frameKinds, maxErrorBytes, maxReferences } from './wire.ts';

/** How much of a text goes into an error that would be too long: none of it has more than six bytes in JSON. */
const shortTextLength = 2_000;

export const aliveFrame = Buffer.from([frameKinds.alive, 0, 0, 0]);

/** Makes heads of ranges in one buffer: a head is valid until the next. */
export class RangeHeads {
	readonly #buffer = Buffer.alloc(frameHeadBytes + 4 * maxReferences);

	/** Of the chunks `from` to `to` of these. */
	encode(lengths: readonly number[], from = 0, to = lengths.length): Buffer {
		const buffer = this.#buffer;
		buffer[0] = frameKinds.range;
		buffer.writeUInt16LE(to - from, 2);
		for (let n = from, at = frameHeadBytes; n < to; n += 1, at += 4) buffer.writeUInt32LE(lengths[n] ?? 0, at);
		return buffer.subarray(0, frameHeadBytes + 4 * (to - from));
	}
}

/** `refusal`: the connection is ended after it. */
export function encodeErrorFrame(document: ErrorDocument, kind: 'error' | 'refusal' = 'error'): Buffer {
	let json = Buffer.from(JSON.stringify(document));
	if (json.length > maxErrorBytes) json = Buffer.from(JSON.stringify(shortened(document)));
	const head = Buffer.alloc(frameHeadBytes + 4);
	head[0] = frameKinds[kind];
	head.writeUInt32LE(json.length, frameHeadBytes);
	return Buffer.concat([head, json]);
}

function shortened({ code, message, hint }: ErrorDocument): ErrorDocument {
	const short = (text: string) => text.slice(0, shortTextLength);
	return { code, message: short(message), ...(hint === undefined ? {} : { hint: short(hint) }) };
}

/** The error in a frame; `protocol` for what is none. */
export function decodeError(json: Buffer): RouseError {
	const words = `an error of ${json.length} bytes that says nothing known`;
	try {
		const document: unknown = JSON.parse(json.toString('utf8'));
		return isErrorDocument(document) ? RouseError.fromDocument(document) : new RouseError('protocol', words);
	} catch (cause) {
		return new RouseError('protocol', words, { cause });
	}
}
