import { RouseError } from '../model/errors.ts';
import { exactBytes } from '../model/format-bytes.ts';
import { limits } from './format/limits.ts';
import type { Store } from './store/contract.ts';

interface ReadOptions {
	/** Of a larger one nothing is read. */
	maxBytes?: number;
	signal?: AbortSignal | undefined;
}

/** A JSON object whole, or undefined when there is none; `format_damaged` when it is larger than such objects are. */
export async function readObject(
	store: Store,
	key: string,
	{ maxBytes = limits.smallObjectBytes, signal }: ReadOptions = {},
): Promise<Buffer | undefined> {
	const sizeBytes = await store.size(key, signal);
	if (sizeBytes === undefined) return undefined;
	if (sizeBytes > maxBytes)
		throw new RouseError(
			'format_damaged',
			`${key} has ${exactBytes(sizeBytes)}, and may have ${exactBytes(maxBytes)} at most`,
			{
				hint: 'put this object back from a copy of the repository',
			},
		);
	return readRange(store, key, { offsetBytes: 0, lengthBytes: sizeBytes }, signal);
}

/**
 * A range of an object that must be there whole; undefined when there is no such object, `format_damaged` when it ends
 * earlier.
 */
export async function readRange(
	store: Store,
	key: string,
	{ offsetBytes, lengthBytes }: { offsetBytes: number; lengthBytes: number },
	signal?: AbortSignal,
): Promise<Buffer | undefined> {
	const bytes = Buffer.allocUnsafeSlow(lengthBytes);
	const filled = await store.read(key, offsetBytes, bytes, signal);
	if (filled === undefined) return undefined;
	if (filled < lengthBytes)
		throw new RouseError(
			'format_damaged',
			`${key} ends at ${offsetBytes + filled}, before ${offsetBytes + lengthBytes}`,
		);
	return bytes;
}
