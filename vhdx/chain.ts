import type { ByteSource } from './byte-source.ts';
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
