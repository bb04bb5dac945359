import { asRouseError, type ErrorDocument, RouseError } from '../../model/errors.ts';
import type { MountMoverState, MoverDisk } from '../../movers/config.ts';
import type { FirstReads } from '../../movers/first-reads.ts';
import { DiskRead } from '../../movers/mount-mover/disk-read.ts';
import type { LocalDisk } from '../../movers/mount-mover/local-disk.ts';
import { MountedDisks } from '../../movers/mount-mover/mounted-disks.ts';
import { openLocalDisk } from '../../movers/mount-mover/open-local-disk.ts';
import type { RestorePointDisk } from '../../movers/mount-mover/restore-point-disk.ts';
import type { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import type { Clock } from '../../system/clock.ts';
import type { FirstReadsAtStart } from '../movers/movers.ts';
import type { Program } from './life.ts';

export interface MountSurroundings {
	/** Closed with the program. */
	source: RetryingChunkSource;
	/** Told of a chunk that was fetched for the guest, for whoever can use it. */
	offer: (disk: string, chunk: number, stored: Buffer) => void;
	clock: Clock;
	firstReads: FirstReadsAtStart;
}

const cacheBytes = 4 * 1024 * 1024;

export async function openMount(
	recoveryId: string,
	disks: readonly MoverDisk[],
	surroundings: MountSurroundings,
): Promise<MountProgram> {
	const locals: LocalDisk[] = [];
	for (const disk of disks) locals.push(await openLocalDisk(recoveryId, disk, surroundings.clock));
	return new MountProgram(recoveryId, disks, locals, surroundings);
}

/** A mount mover without its sockets: reads of the guest, answered by the code that answers them in the real one. */
export class MountProgram implements Program {
	readonly #recoveryId: string;
	readonly #names: readonly string[];
	readonly #locals: readonly LocalDisk[];
	readonly #source: RetryingChunkSource;
	readonly #mounted: MountedDisks;
	readonly #known: FirstReadsAtStart['firstReads'];
	readonly #closed = new AbortController();
	#following: Promise<void> = Promise.resolve();
	#mapTrouble: ErrorDocument | undefined;

	constructor(
		recoveryId: string,
		disks: readonly MoverDisk[],
		locals: readonly LocalDisk[],
		{ source, offer, clock, firstReads: { recordsFirstReads, firstReads } }: MountSurroundings,
	) {
		this.#recoveryId = recoveryId;
		this.#names = disks.map(({ name }) => name);
		this.#locals = locals;
		this.#source = source;
		this.#known = firstReads;
		this.#mounted = new MountedDisks({
			disks: disks.map(({ name, image }, index) => ({ name, image, local: locals[index] })),
			chunks: new VerifiedChunks(source),
			cacheBytes,
			clock,
			recordsFirstReads,
			firstReads: firstReads?.reads,
			onChunk: (disk, chunk, stored) => {
				if (!disk.isRestored(chunk)) offer(disk.name, chunk, Buffer.from(stored));
			},
		});
	}

	/** Fills `into`. `io_failed` as the guest would see it, `mover_unreachable` when this ends before. */
	async read(disk: number, offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		const mounted = this.#mounted.disks[disk];
		if (mounted === undefined) throw new RangeError(`there is no disk ${disk}`);
		if (into.length === 0 || mounted.readNow(into, 0, offsetBytes, into.length) !== 'later') return;
		const either = AbortSignal.any([signal, this.#closed.signal]);
		const bytes = await this.#readLater(mounted, offsetBytes, into.length, either);
		bytes.copy(into);
	}

	state(): MountMoverState {
		const { waiting, counters, badChunks, firstFetch } = this.#mounted;
		const ofTarget = this.#locals.find(({ failure }) => failure)?.failure?.toDocument();
		return {
			recoveryId: this.#recoveryId,
			disks: this.#locals.map(({ restoredChunks, chunkCount }, index) => ({
				name: this.#names[index] ?? '',
				restoredChunks,
				chunks: chunkCount,
			})),
			waitingReads: waiting.count,
			oldestWaitMs: Math.round(waiting.oldestWaitMs),
			failing: waiting.failing,
			badChunks,
			failure: ofTarget ?? this.#mapTrouble ?? this.#source.trouble ?? null,
			firstReads: firstFetch && this.#known && { ...this.#known.from, ...firstFetch },
			counters: Object.fromEntries(Object.entries(counters)),
		};
	}

	firstReads(): FirstReads | null {
		return this.#mounted.firstReads() ?? null;
	}

	failPending(forMs: number): void {
		this.#mounted.waiting.failPending(forMs);
	}

	serve(): void {
		for (const local of this.#locals) local.forgetFailure();
		this.#mounted.serve();
	}

	/** Restored maps have grown: what waits may have become local. */
	follow(): Promise<void> {
		this.#following = this.#following.then(() => this.#readMaps());
		return this.#following;
	}

	async close(): Promise<void> {
		this.#closed.abort(new RouseError('mover_unreachable', 'the simulated mount mover has ended'));
		await this.#mounted.close();
		await this.#source.close();
		await this.#following;
		for (const local of this.#locals) await local.close();
	}

	async #readMaps(): Promise<void> {
		try {
			for (const { map } of this.#locals) if (!map.bitmap.complete) await map.refresh();
			this.#mapTrouble = undefined;
		} catch (error) {
			this.#mapTrouble = asRouseError(error).toDocument();
		}
		this.#mounted.lookAgain();
	}

	#readLater(disk: RestorePointDisk, offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
		return new Promise((resolve, reject) => {
			signal.throwIfAborted();
			const { waiting, counters } = this.#mounted;
			const read = new DiskRead({ disk, waiting, counters, patient: true }, offset, length, (result, free) => {
				signal.removeEventListener('abort', abort);
				if ('errno' in result) reject(new RouseError('io_failed', result.message));
				else resolve(Buffer.isBuffer(result) ? result : Buffer.concat(result));
				free?.();
			});
			const abort = () => {
				read.cancel();
				reject(signal.reason);
			};
			signal.addEventListener('abort', abort, { once: true });
			read.start();
		});
	}
}
