import { type ArchiveSource, openArchiveDisk } from '../../sources/archive/archive-disk.ts';
import { inPieces } from './archives.ts';

const never = new AbortController().signal;

export async function openedArchive(archive: Buffer, pieceBytes = 4096): Promise<ArchiveSource> {
	return await openArchiveDisk('a.tar', () => inPieces(archive, pieceBytes), never);
}

/** All of the disk, in reads of `readBytes`, and then the archive to its end. */
export async function readWhole(source: ArchiveSource, readBytes = 2 ** 20): Promise<Buffer> {
	const content = Buffer.alloc(source.sizeBytes, 0xaa);
	const reads: Promise<void>[] = [];
	for (let at = 0; at < content.length; at += readBytes)
		reads.push(source.read(at, content.subarray(at, at + readBytes), never));
	await Promise.all(reads);
	await source.checkUnchanged();
	await source.close();
	return content;
}
