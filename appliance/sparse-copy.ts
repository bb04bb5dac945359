import type { FileHandle } from 'node:fs/promises';
import { writeWhole } from '../exports/new-file.ts';

const stepBytes = 1024 * 1024;

/** Copies all of a file into another one, which is zero there, without its zeros. */
export async function copySparse(
	from: FileHandle,
	into: FileHandle,
	atBytes: number,
	signal: AbortSignal | undefined,
): Promise<void> {
	for await (const { offsetBytes, bytes } of dataIn(from, signal)) await writeWhole(into, bytes, atBytes + offsetBytes);
}

/** The pieces of a file that are not all zeros. Bytes are valid until the next one is asked for. */
export async function* dataIn(
	file: FileHandle,
	signal: AbortSignal | undefined,
): AsyncGenerator<{ offsetBytes: number; bytes: Buffer }, void, undefined> {
	const buffer = Buffer.alloc(stepBytes);
	const zeros = Buffer.alloc(stepBytes);
	for (let offsetBytes = 0; ; ) {
		signal?.throwIfAborted();
		const { bytesRead } = await file.read(buffer, 0, stepBytes, offsetBytes);
		if (bytesRead === 0) return;
		const bytes = buffer.subarray(0, bytesRead);
		if (!bytes.equals(zeros.subarray(0, bytesRead))) yield { offsetBytes, bytes };
		offsetBytes += bytesRead;
	}
}
