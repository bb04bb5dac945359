import { createGunzip, type Gunzip } from 'node:zlib';
import { isErrno } from '../../system/durable-file.ts';
import { refused } from '../tar/refused.ts';

/** A turn of a thread for each. */
const pieceBytes = 2 ** 18;

/**
 * What gzip has packed, in one member or several; zeros may follow, as on tapes. Throws `source_invalid` for what is cut, damaged by its own
 * check sums, or followed by something else. A piece of `packed` is done with when the next one is asked for. The end of the
 * signal ends it at once; `packed` MUST end by it as well.
 */
export async function* gunzipped(packed: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Buffer> {
	signal.throwIfAborted();
	const gunzip = createGunzip({ chunkSize: pieceBytes });
	gunzip.on('error', () => {}); // the loop below has it, unless it has ended
	const onAbort = () => void gunzip.destroy();
	signal.addEventListener('abort', onAbort, { once: true });
	const feeding = feed(packed, gunzip).catch((error: unknown) => {
		gunzip.destroy();
		return { error };
	});
	try {
		const pieces: AsyncIterable<Buffer> = gunzip;
		yield* pieces;
		const fed = await feeding;
		if (fed !== undefined) throw fed.error;
	} catch (error) {
		signal.throwIfAborted();
		throw explained((await feeding)?.error ?? error);
	} finally {
		signal.removeEventListener('abort', onAbort);
		gunzip.destroy();
		await feeding;
	}
}

/** Hands over all that is packed, and looks at what is left when gzip wants no more. */
async function feed(packed: AsyncIterable<Uint8Array>, gunzip: Gunzip): Promise<undefined> {
	let wake = () => {};
	gunzip.once('close', () => wake());
	let fed = 0;
	let hasEnded = false;
	for await (const piece of packed) {
		if (!hasEnded) {
			await new Promise<void>(resolve => {
				wake = resolve;
				if (gunzip.destroyed) resolve();
				else gunzip.write(piece, () => resolve());
			});
			if (gunzip.destroyed) return;
			fed += piece.length;
		}
		const left: Uint8Array = hasEnded ? piece : piece.subarray(piece.length - (fed - gunzip.bytesWritten));
		hasEnded ||= left.length > 0;
		if (left.some(byte => byte !== 0)) throw refused('it goes on behind the end of its gzip data');
	}
	gunzip.end();
}

function explained(error: unknown): unknown {
	if (isErrno(error, 'Z_BUF_ERROR')) return refused('it is cut short: its gzip data lacks its end', undefined, error);
	if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))
		return refused(`its gzip data is damaged: ${error.message}`, undefined, error);
	return error;
}
