import type { RouseError } from '../../model/errors.ts';
import { copyBatchBytes } from '../../repository/copy/copy-threads.ts';
import { inLanes } from '../../repository/copy/in-lanes.ts';
import { Slots } from '../../system/slots.ts';
import type { DiskReader } from '../../repository/disk-reader.ts';
import type { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { copyByThreads, forThreads, partsOf, type ThreadsOfCopy, worthThreads } from './copy-by-threads.ts';
import { type CopiedChunk, type CopyBatch, planCopy } from './copy-plan.ts';
import { expectRoom } from './room.ts';
import type { MigrationTarget } from './target.ts';
import type { TokenBucket } from './token-bucket.ts';

/** Fetches in flight: while the chunks of one are decoded and written, those of the other are on their way. */
const fetches = 2;

export interface CopyDiskOptions {
	chunks: VerifiedChunks;
	bucket: TokenBucket;
	signal: AbortSignal;
	/** Room on the file system under a path. */
	freeBytes: (path: string) => Promise<number>;
	/** Told about a chunk, or `count` chunks under one page of the map, that cannot be had; the others are copied. */
	onDamage: (damage: { index: number; count: number; error: RouseError }) => void;
	/** Without them all is done in this thread. */
	threads?: ThreadsOfCopy | undefined;
}

/**
 * One pass over a disk: copies what the target lacks and can be had, and records it. Throws what the source throws (but
 * damage), what the target throws, `space_short` while there is still a little room, and the signal's reason.
 */
export async function copyDisk(reader: DiskReader, target: MigrationTarget, options: CopyDiskOptions): Promise<void> {
	const threads = worthThreads(reader, target, options.threads) ? options.threads : undefined;
	const batchBytes = threads && Math.max(copyBatchBytes, reader.image.chunkSizeBytes);
	const failed = new AbortController();
	const signal = AbortSignal.any([options.signal, failed.signal]);
	const plan = planCopy(reader, target, {
		signal,
		batchBytes,
		onDamage: ({ firstIndex: index, count, error }) => options.onDamage({ index, count, error }),
	});
	const stopThreads = AbortSignal.any([signal, target.over]);
	const pass: Pass = { ...options, reader, target, signal, stopThreads, threads, fetching: new Slots(fetches) };
	const lanes = threads && batchBytes ? threads.threads.lanes(batchBytes) : fetches;
	// All have ended when this returns: nothing is written behind the back of a caller who goes on to close the target.
	await inLanes(plan, lanes, failed, batch => copyBatch(pass, batch));
	await target.flush();
}

interface Pass extends CopyDiskOptions {
	reader: DiskReader;
	target: MigrationTarget;
	stopThreads: AbortSignal;
	/** However much threads leave. */
	fetching: Slots;
}

async function copyBatch(pass: Pass, batch: CopyBatch): Promise<void> {
	const { threads } = pass;
	if (batch.kind === 'zero') return copyZero(pass, batch.range);
	if (threads === undefined) return copyData(pass, batch.chunks);
	const withThreads = { ...pass, threads };
	for await (const part of partsOf(withThreads, batch.chunks)) {
		const byThreads = forThreads(withThreads, part);
		const others = part.filter(chunk => !byThreads.includes(chunk));
		const left = await copyByThreads(withThreads, byThreads);
		await copyData(pass, left, { isPaid: true });
		await copyData(pass, others);
	}
}

async function copyData(pass: Pass, wanted: readonly CopiedChunk[], paid = { isPaid: false }): Promise<void> {
	if (wanted.length > 0) await pass.fetching.use(() => fetchAndWrite(pass, wanted, paid));
}

async function fetchAndWrite(
	{ target, chunks, bucket, signal, onDamage, freeBytes }: Pass,
	wanted: readonly CopiedChunk[],
	{ isPaid }: { isPaid: boolean },
): Promise<void> {
	await expectRoom(target.disk.target.path, freeBytes);
	for await (const {
		wanted: { index },
		bytes,
		damage,
	} of chunks.fetch(wanted, { class: 'migration', signal })) {
		if (damage !== undefined) {
			onDamage({ index, count: 1, error: damage });
			continue;
		}
		if (target.has(index)) continue; // offered meanwhile
		if (isPaid) bucket.takeLeft(bytes.length);
		else await bucket.take(bytes.length, signal);
		await target.write(index, bytes);
	}
}

async function copyZero(
	{ reader, target, bucket, signal }: Pass,
	range: { first: number; count: number },
): Promise<void> {
	if (target.readsZero) return target.recordZero(range);
	for (let index = range.first; index < range.first + range.count; index += 1) {
		const length = reader.rawBytesOf(index);
		await bucket.take(length, signal);
		await target.writeZero(index, length);
	}
}
