import type { RouseError } from '../../model/errors.ts';
import type { DiskReader } from '../../repository/disk-reader.ts';
import type { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { type CopiedChunk, type CopyBatch, planCopy } from './copy-plan.ts';
import { expectRoom } from './room.ts';
import type { MigrationTarget } from './target.ts';
import type { TokenBucket } from './token-bucket.ts';

/** Fetches in flight: while the chunks of one are decoded and written, those of the other are on their way. */
const lanes = 2;

export interface CopyDiskOptions {
	chunks: VerifiedChunks;
	bucket: TokenBucket;
	signal: AbortSignal;
	/** Room on the file system under a path. */
	freeBytes: (path: string) => Promise<number>;
	/** Told about a chunk, or `count` chunks under one page of the map, that cannot be had; the others are copied. */
	onDamage: (damage: { index: number; count: number; error: RouseError }) => void;
}

/**
 * One pass over a disk: copies what the target lacks and can be had, and records it. Throws what the source throws (but
 * damage), what the target throws, `space_short` while there is still a little room, and the signal's reason.
 */
export async function copyDisk(reader: DiskReader, target: MigrationTarget, options: CopyDiskOptions): Promise<void> {
	const failed = new AbortController();
	const signal = AbortSignal.any([options.signal, failed.signal]);
	const plan = planCopy(reader, target, {
		signal,
		onDamage: ({ firstIndex: index, count, error }) => options.onDamage({ index, count, error }),
	});
	const lane = async () => {
		try {
			for (;;) {
				const next = await plan.next();
				if (next.done === true) return;
				await copyBatch(reader, target, next.value, { ...options, signal });
			}
		} catch (error) {
			failed.abort(error); // the other lane stops, for the same reason
		}
	};
	// Both have ended when this returns: nothing is written behind the back of a caller who goes on to close the target.
	await Promise.all(Array.from({ length: lanes }, lane));
	await plan.return(undefined);
	failed.signal.throwIfAborted();
	await target.flush();
}

async function copyBatch(
	reader: DiskReader,
	target: MigrationTarget,
	batch: CopyBatch,
	options: CopyDiskOptions,
): Promise<void> {
	if (batch.kind === 'zero') await copyZero(reader, target, batch.range, options);
	else await copyData(target, batch.chunks, options);
}

async function copyData(
	target: MigrationTarget,
	wanted: readonly CopiedChunk[],
	{ chunks, bucket, signal, onDamage, freeBytes }: CopyDiskOptions,
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
		await bucket.take(bytes.length, signal);
		await target.write(index, bytes);
	}
}

async function copyZero(
	reader: DiskReader,
	target: MigrationTarget,
	range: { first: number; count: number },
	{ bucket, signal }: CopyDiskOptions,
): Promise<void> {
	if (target.readsZero) return target.recordZero(range);
	for (let index = range.first; index < range.first + range.count; index += 1) {
		const length = reader.rawBytesOf(index);
		await bucket.take(length, signal);
		await target.writeZero(index, length);
	}
}
