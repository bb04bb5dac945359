import type { Readable } from 'node:stream';
import { CloudError } from '../cloud.ts';

export interface BodyLimits {
	mostBytes: number;
	/** Between one piece and the next. */
	idleMs: number;
}

/**
 * All bytes of an answer; `cut` when it ends early, stands still or is too long. The SDK gives answers out unread and looks at them
 * no more: one that is not read holds its connection, and one that stands still is waited for without end. However this ends, the
 * answer is read to its end, or its connection closed.
 */
export async function bodyOf(
	body: Readable,
	call: string,
	{ mostBytes, idleMs }: BodyLimits,
	signal: AbortSignal,
): Promise<Buffer> {
	const bytes = Buffer.allocUnsafeSlow(mostBytes);
	let length = 0;
	let isStill = false;
	const stalled = setTimeout(() => {
		isStill = true;
		body.destroy();
	}, idleMs);
	const onAbort = () => void body.destroy();
	signal.addEventListener('abort', onAbort, { once: true });
	try {
		signal.throwIfAborted();
		for await (const piece of piecesOf(body)) {
			stalled.refresh();
			if (length + piece.length > mostBytes) throw new CloudError('cut', call, `more than ${mostBytes} bytes`);
			bytes.set(piece, length);
			length += piece.length;
		}
	} catch (error) {
		signal.throwIfAborted();
		if (error instanceof CloudError) throw error;
		throw new CloudError('cut', call, isStill ? `nothing for ${idleMs} ms` : `ended after ${length} bytes`);
	} finally {
		clearTimeout(stalled);
		signal.removeEventListener('abort', onAbort);
		body.destroy();
	}
	// Ended by us without an error, it looks as if it were whole.
	signal.throwIfAborted();
	if (isStill) throw new CloudError('cut', call, `nothing for ${idleMs} ms`);
	return bytes.subarray(0, length);
}

async function* piecesOf(body: Readable): AsyncGenerator<Uint8Array> {
	for await (const piece of body) {
		const bytes: unknown = piece;
		if (!(bytes instanceof Uint8Array)) throw new Error('an answer that is text');
		yield bytes;
	}
}
