import { type ByteSource, bytesInside } from './byte-source.ts';
import type { VhdxDisk } from './disk.ts';
import type { Extent } from './header-section.ts';

/** A piece of a chain's disk, and in which file its bytes are: undefined where they are zeros. */
export interface ChainPiece extends Extent {
	readonly in: { readonly source: ByteSource; readonly atBytes: number } | undefined;
}

/**
 * Where the bytes of a part of the disk are that the first of a chain is, each differencing disk before its parent; in the disk's
 * order and without gaps. Tables alone are read, and nothing is held for a layer, which `VhdxDisk.read` would do: chains are long.
 */
export async function* piecesOf(
	chain: readonly VhdxDisk[],
	{ atBytes, lengthBytes }: Extent,
	signal?: AbortSignal,
): AsyncGenerator<ChainPiece> {
	const [disk, ...beneath] = chain;
	if (disk === undefined) throw new RangeError('a chain ends with a disk that has no parent');
	const endBytes = atBytes + lengthBytes;
	// A child that was made larger has zeros behind its parent's end.
	if (endBytes > disk.sizeBytes) {
		const thereBytes = Math.max(0, disk.sizeBytes - atBytes);
		if (thereBytes > 0) yield* piecesOf(chain, { atBytes, lengthBytes: thereBytes }, signal);
		yield { atBytes: atBytes + thereBytes, lengthBytes: lengthBytes - thereBytes, in: undefined };
		return;
	}
	for await (const { in: where, ...piece } of disk.locate(atBytes, lengthBytes, signal)) {
		if (where.kind === 'parent') yield* piecesOf(beneath, piece, signal);
		else yield { ...piece, in: where.kind === 'file' ? { source: disk.source, atBytes: where.atBytes } : undefined };
	}
}

/** What a file has in places that are near to each other, which are read at once. */
interface Run {
	readonly atBytes: number;
	endBytes: number;
	readonly parts: { readonly atBytes: number; readonly into: Uint8Array }[];
}

/** A child and its parent often have the sectors of a block by turns. */
const nearBytes = 64 * 1024;
const longestRunBytes = 2 ** 20;

/** Fills `into` with the disk's bytes from there on. Throws as `ByteSource` does, and `source_invalid` for a file that became shorter. */
export async function readChain(
	chain: readonly VhdxDisk[],
	atBytes: number,
	into: Uint8Array,
	signal?: AbortSignal,
): Promise<void> {
	const runs = new Map<ByteSource, Run>();
	for await (const piece of piecesOf(chain, { atBytes, lengthBytes: into.length }, signal)) {
		const start = piece.atBytes - atBytes;
		const part = into.subarray(start, start + piece.lengthBytes);
		if (piece.in === undefined) {
			part.fill(0);
			continue;
		}
		const { source, atBytes: from } = piece.in;
		const endBytes = from + part.length;
		const run = runs.get(source);
		if (run && from >= run.endBytes && from <= run.endBytes + nearBytes && endBytes <= run.atBytes + longestRunBytes) {
			run.endBytes = endBytes;
			run.parts.push({ atBytes: from, into: part });
			continue;
		}
		if (run) await readRun(source, run, signal);
		runs.set(source, { atBytes: from, endBytes, parts: [{ atBytes: from, into: part }] });
	}
	for (const [source, run] of runs) await readRun(source, run, signal);
}

async function readRun(source: ByteSource, { atBytes, endBytes, parts }: Run, signal?: AbortSignal): Promise<void> {
	const bytes = await bytesInside(source, 'block', atBytes, endBytes - atBytes, signal);
	for (const part of parts) {
		const start = part.atBytes - atBytes;
		part.into.set(bytes.subarray(start, start + part.into.length));
	}
}
