import { RouseError } from '../model/errors.ts';
import type { Store } from './store/contract.ts';

/** JSON objects come nowhere near it; what is larger is not one of ours. */
const maxObjectBytes = 16 * 1024 * 1024;

/** A small object whole, or undefined when there is none. */
export async function readObject(store: Store, key: string, signal?: AbortSignal): Promise<Buffer | undefined> {
	const sizeBytes = await store.size(key, signal);
	if (sizeBytes === undefined) return undefined;
	if (sizeBytes > maxObjectBytes)
		throw new RouseError('format_damaged', `${key} has ${sizeBytes} bytes, at most ${maxObjectBytes}`);
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
