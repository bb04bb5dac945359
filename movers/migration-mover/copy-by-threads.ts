import type { ErrorDocument } from '../../model/errors.ts';
import type { CopyThreads } from '../../repository/copy/copy-threads.ts';
import type { DiskReader } from '../../repository/disk-reader.ts';
import type { CopiedChunk } from './copy-plan.ts';
import { expectRoom } from './room.ts';
import { groupBytes, type MigrationTarget, threadGroupBytes } from './target.ts';
import type { TokenBucket } from './token-bucket.ts';

/** Under a limit no more is asked of a thread at once than the limit allows in so long. */
const pacedMs = 100;

export interface ThreadsOfCopy {
	threads: CopyThreads;
	/** A disk that lacks no more has none. */
	aboveBytes: number;
	/** The repository is away: each thread would find that out by itself, and leave what it was given. */
	isTroubled: () => boolean;
	/** Something has come. */
	onCame: () => void;
	/** Some chunks are left, which are copied without them then. */
	onLeft: (count: number, why: ErrorDocument) => void;
}

/** Zeros need none. */
export function worthThreads(reader: DiskReader, target: MigrationTarget, threads: ThreadsOfCopy | undefined): boolean {
	if (threads === undefined || threads.threads.areOver) return false;
	const { sizeBytes, dataBytes } = reader.image;
	return Math.min(dataBytes, sizeBytes - target.summary().restoredBytes) > threads.aboveBytes;
}

interface CopyWithThreads {
	reader: DiskReader;
	target: MigrationTarget;
	bucket: TokenBucket;
	signal: AbortSignal;
	freeBytes: (path: string) => Promise<number>;
	threads: ThreadsOfCopy;
	/** When no thread is to write any more. */
	stopThreads: AbortSignal;
}

/**
 * In what threads are given them; each part as large as the limit allows when it is begun. Nothing is awaited between that and its
 * taking: else a limit that comes meanwhile would have much more than it allows at once.
 */
export async function* partsOf(
	{ reader, target, bucket, freeBytes }: CopyWithThreads,
	wanted: readonly CopiedChunk[],
): AsyncGenerator<CopiedChunk[]> {
	for (let at = 0; at < wanted.length; ) {
		await expectRoom(target.disk.target.path, freeBytes);
		const allowed = Math.max(1, Math.floor((bucket.rate * pacedMs) / 1000 / reader.image.chunkSizeBytes));
		const part = wanted.slice(at, bucket.rate === 0 ? undefined : at + allowed);
		yield part;
		at += part.length;
	}
}

/** What of a part threads are to copy: not what is followed by more than the disk's own bytes. */
export function forThreads({ reader, threads }: CopyWithThreads, part: readonly CopiedChunk[]): readonly CopiedChunk[] {
	if (threads.isTroubled() || threads.threads.areOver) return [];
	return part.filter(({ index }) => index < reader.chunkCount - 1);
}

/** Copies what threads can copy, and resolves to what is left, which is paid for. */
export async function copyByThreads(
	{ target, bucket, signal, threads, stopThreads }: CopyWithThreads,
	part: readonly CopiedChunk[],
): Promise<readonly CopiedChunk[]> {
	const wanted = part.filter(({ index }) => !target.has(index));
	if (wanted.length === 0) return [];
	await bucket.take(bytesOf(wanted), signal);
	let writtenBytes = 0;
	const write = async (lent: readonly CopiedChunk[], fd: number) => {
		const job = {
			fd,
			refs: lent.map(({ ref, place }) => (place === undefined ? ref : { ...ref, place })),
			rawBytes: lent.map(({ rawBytes }) => rawBytes),
			atBytes: lent.map(({ index }) => target.offsetOf(index)),
		};
		const copied = await threads.threads.copy(job, stopThreads);
		const written = copied.written.flatMap(position => lent[position] ?? []);
		writtenBytes = bytesOf(written);
		if (written.length > 0) threads.onCame();
		if (copied.why !== undefined) threads.onLeft(lent.length - written.length, copied.why);
		return written;
	};
	let left: readonly CopiedChunk[];
	try {
		left = await target.lend(wanted, bucket.rate === 0 ? threadGroupBytes : groupBytes, write);
	} finally {
		bucket.leave(bytesOf(wanted) - writtenBytes);
	}
	signal.throwIfAborted();
	return left;
}

function bytesOf(chunks: readonly CopiedChunk[]): number {
	return chunks.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
}
