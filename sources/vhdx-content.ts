/** VHDXs that QEMU does not read (image-references.ts) are read by vhdx/: those with sectors of 4096 bytes, and chains; so are the holes of others. */
import type { SourceExtent } from '../repository/import/disk-source.ts';
import { piecesOf, readChain } from '../vhdx/chain.ts';
import { VhdxDisk } from '../vhdx/disk.ts';
import { openVhdx } from '../vhdx/open.ts';
import type { OpenedDisk } from './disk-facts.ts';
import type { OpenedFile } from './opened-file.ts';
import { vhdxBytes } from './vhdx.ts';

/** `files`: a disk, and what it was made upon, the top first. Throws `source_invalid`, as its parts do. */
export async function vhdxContent(
	files: readonly OpenedFile[],
	signal: AbortSignal,
): Promise<Pick<OpenedDisk, 'sizeBytes' | 'extents' | 'read'>> {
	const chain: VhdxDisk[] = [];
	for (const file of files.toReversed())
		chain.unshift(new VhdxDisk(await openVhdx(await vhdxBytes(file), signal), chain[0]));
	const [top] = chain;
	if (top === undefined) throw new RangeError('a chain without files');
	return {
		sizeBytes: top.sizeBytes,
		extents: until => extentsOf(chain, top.sizeBytes, until),
		read: (offsetBytes, into, until) => readChain(chain, offsetBytes, into, until),
	};
}

async function* extentsOf(chain: readonly VhdxDisk[], sizeBytes: number, signal: AbortSignal) {
	for await (const { atBytes, lengthBytes, in: where } of piecesOf(
		chain,
		{ atBytes: 0, lengthBytes: sizeBytes },
		signal,
	))
		yield { offsetBytes: atBytes, lengthBytes, kind: where ? 'data' : 'zero' } satisfies SourceExtent;
}
