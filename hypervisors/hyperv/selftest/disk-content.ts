/** The disks to fill as the appliance sees them, written and compared as the movers do it: by path. */
import { open } from 'node:fs/promises';

const pieceBytes = 2 ** 20;

export async function writeWhole(path: string, bytes: Buffer): Promise<void> {
	const file = await open(path, 'r+');
	try {
		for (let at = 0; at < bytes.length; at += pieceBytes) {
			const piece = bytes.subarray(at, at + pieceBytes);
			const { bytesWritten } = await file.write(piece, 0, piece.length, at);
			if (bytesWritten !== piece.length)
				throw new Error(`${path}: ${bytesWritten} bytes of ${piece.length} were written`);
		}
		await file.datasync();
	} finally {
		await file.close();
	}
}

export async function readWhole(path: string, sizeBytes: number): Promise<Buffer> {
	const bytes = Buffer.alloc(sizeBytes);
	const file = await open(path, 'r');
	try {
		for (let at = 0; at < sizeBytes; ) {
			const { bytesRead } = await file.read(bytes, at, Math.min(pieceBytes, sizeBytes - at), at);
			if (bytesRead === 0) throw new Error(`${path} ends at ${at} of ${sizeBytes} bytes`);
			at += bytesRead;
		}
	} finally {
		await file.close();
	}
	return bytes;
}

/** Where two differ, in words; undefined when they do not. `but`: what may differ. */
export function difference(
	found: Buffer,
	wanted: Buffer,
	but: { offsetBytes: number; sizeBytes: number } = { offsetBytes: 0, sizeBytes: 0 },
): string | undefined {
	const sector = 512;
	const differing: number[] = [];
	for (let at = 0; at < wanted.length; at += sector) {
		if (at >= but.offsetBytes && at < but.offsetBytes + but.sizeBytes) continue;
		if (!found.subarray(at, at + sector).equals(wanted.subarray(at, at + sector))) differing.push(at);
	}
	const [first] = differing;
	return first === undefined ? undefined : `${differing.length} sectors differ, the first at ${first}`;
}

/** Reads all over a disk until it is told to stop, or cannot any more: resolves with how many it read, and why it ended. */
export async function readUntilItFails(
	path: string,
	sizeBytes: number,
	signal: AbortSignal,
): Promise<{ reads: number; error: string | null }> {
	const into = Buffer.alloc(64 * 1024);
	let reads = 0;
	try {
		const file = await open(path, 'r');
		try {
			for (let at = 0; !signal.aborted; at = (at + 7 * into.length) % (sizeBytes - into.length)) {
				await file.read(into, 0, into.length, at - (at % 4096));
				reads += 1;
			}
		} finally {
			await file.close();
		}
	} catch (error) {
		return { reads, error: error instanceof Error ? error.message : String(error) };
	}
	return { reads, error: null };
}
