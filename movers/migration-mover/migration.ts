import { asRouseError, RouseError } from '../../model/errors.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import type { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { untilAborted } from '../../repository/until-aborted.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import type { Log } from '../../system/log.ts';
import type { Reached } from '../../system/reached.ts';
import type { BadChunk, MigrationMoverState, MoverDisk } from '../config.ts';
import type { CopyThreads } from '../../repository/copy/copy-threads.ts';
import type { ThreadsOfCopy } from './copy-by-threads.ts';
import { copyDisk } from './copy-disk.ts';
import { type MigrationTarget, openMigrationTarget } from './target.ts';
import { TokenBucket } from './token-bucket.ts';

/** The target is absent when it could not be opened. */
export interface MigratedDisk {
	disk: MoverDisk;
	reader: DiskReader;
	target: MigrationTarget | undefined;
}

export interface MigrationParts {
	/** Not closed here. */
	source: RetryingChunkSource;
	bucket: TokenBucket;
	log: Log;
	reached: Reached;
	/** Room on the file system under a path. */
	freeBytes: (path: string) => Promise<number>;
	/** For disks that lack more than so much. Not closed here. */
	threads?: { threads: CopyThreads; aboveBytes: number } | undefined;
}

/** Bad chunks that state and log list; how many there are is in the failure. */
const listedBadChunks = 100;

/** The targets of one recovery and the copy that fills them. */
export class Migration {
	readonly disks: readonly MigratedDisk[];
	readonly bucket: TokenBucket;
	/** Room on the file system under a path. */
	readonly freeBytes: (path: string) => Promise<number>;
	readonly #recoveryId: string;
	readonly #source: RetryingChunkSource;
	readonly #chunks: VerifiedChunks;
	readonly #log: Log;
	readonly #reached: Reached;
	readonly #threads: ThreadsOfCopy | undefined;
	#wanted = false;
	#run: { stop: AbortController; ended: Promise<void> } | undefined;
	#failure: RouseError | undefined;
	#badChunks: BadChunk[] = [];
	#badCount = 0;
	#firstDamage: { disk: MoverDisk; index: number; error: RouseError } | undefined;
	/** Opening, retrying and closing, one after the other. */
	#turn: Promise<void> = Promise.resolve();
	#turns = 0;

	constructor(recoveryId: string, disks: readonly MoverDisk[], parts: MigrationParts) {
		const { source, bucket, log, reached, freeBytes, threads } = parts;
		this.#recoveryId = recoveryId;
		this.#source = source;
		this.#chunks = new VerifiedChunks(source);
		this.bucket = bucket;
		this.#log = log;
		this.#reached = reached;
		this.freeBytes = freeBytes;
		this.#threads = threads && {
			...threads,
			isTroubled: () => source.trouble !== undefined,
			onCame: () => source.cameThrough(),
			onLeft: (chunks, why) => log.info({ chunks, err: why }, 'chunks that a thread could not copy'),
		};
		this.disks = disks.map(disk => ({
			disk,
			reader: new DiskReader(this.#chunks, disk.image, { class: 'migration' }),
			target: undefined,
		}));
	}

	state(): MigrationMoverState {
		return {
			recoveryId: this.#recoveryId,
			disks: this.disks.map(({ disk, target }) => {
				const { restoredBytes, complete } = target?.summary() ?? { restoredBytes: 0, complete: false };
				return { name: disk.name, restoredBytes, complete };
			}),
			copying: this.#run !== undefined,
			maxRateBytes: this.bucket.rate,
			writtenBytes: this.bucket.taken,
			failure: this.#currentFailure()?.toDocument() ?? null,
			trouble: this.#source.trouble ?? null,
			badChunks: this.#badChunks,
		};
	}

	/** Opens the targets; what cannot be opened is the state's failure. */
	open(): Promise<void> {
		return this.#inTurn(() => this.#openTargets());
	}

	/**
	 * Copies all that is missing. Does nothing while a copy runs, after a failure, and when all is restored. While targets
	 * are being opened again it only says that it is wanted: the retry begins it.
	 */
	copy(): void {
		this.#wanted = true;
		if (this.#turns === 0) this.#start();
	}

	/**
	 * Resolves when nothing is copied any more, until the next `copy`; what the guest's mover offers is written all the same,
	 * since it is read already.
	 */
	pause(): Promise<void> {
		this.#wanted = false;
		return this.#inTurn(async () => {
			await this.#stop();
			if (this.#wanted) this.#start(); // ordered meanwhile
		});
	}

	#start(): void {
		if (this.#run || this.#currentFailure() || this.#complete()) return;
		const stop = new AbortController();
		this.#log.info({ maxRateBytes: this.bucket.rate }, 'the copy begins');
		const ended = this.#copyAll(stop.signal)
			.then(() => this.#log.info({ badChunks: this.#badCount }, 'the copy has come to its end'))
			.catch((error: unknown) => {
				if (stop.signal.aborted) return;
				this.#log.error({ err: error }, 'the copy has stopped');
				this.#failure ??= asRouseError(error);
			})
			.finally(() => {
				this.#run = undefined;
			});
		this.#run = { stop, ended };
	}

	/** Forgets failures and bad chunks, opens again what failed, and goes on copying if that was wanted. */
	retry(): Promise<void> {
		return this.#inTurn(async () => {
			await this.#stop();
			this.#failure = undefined;
			this.#badChunks = [];
			this.#badCount = 0;
			this.#firstDamage = undefined;
			await this.#openTargets();
			if (this.#wanted) this.#start();
		});
	}

	/** Ends the copy, records what was written, and closes the targets. */
	close(): Promise<void> {
		return this.#inTurn(async () => {
			await this.#stop();
			for (const entry of this.disks) {
				if (entry.target && !entry.target.failure) await entry.target.flush();
				await entry.target?.close();
				entry.target = undefined;
			}
		});
	}

	async #copyAll(signal: AbortSignal): Promise<void> {
		for (const { disk, reader, target } of this.disks) {
			if (target === undefined) throw new RouseError('internal', `${disk.name}: copying without a target`);
			for (;;) {
				const badBefore = this.#badCount;
				await copyDisk(reader, target, {
					chunks: this.#chunks,
					bucket: this.bucket,
					signal,
					freeBytes: this.freeBytes,
					onDamage: damage => this.#noteDamage(disk, damage),
					threads: this.#threads,
				});
				if (target.summary().complete || this.#badCount > badBefore) break;
				// An offered chunk is being written; should nothing come of it, the next pass finds the target's failure.
				await untilAborted(target.writesEnded(), signal);
			}
		}
	}

	#noteDamage(disk: MoverDisk, damage: { index: number; count: number; error: RouseError }): void {
		const { index, count, error } = damage;
		this.#badCount += count;
		this.#firstDamage ??= { disk, index, error };
		if (this.#badChunks.length === listedBadChunks) return;
		this.#log.warn({ disk: disk.name, index, count, err: error.toDocument() }, 'a chunk cannot be had');
		const { digest = disk.image.contentDigest, packId = '' } = error.details ?? {};
		this.#badChunks.push({ disk: disk.name, index, digest: String(digest), packId: String(packId) });
	}

	#damageFailure(): RouseError | undefined {
		if (this.#firstDamage === undefined) return undefined;
		const { disk, index, error } = this.#firstDamage;
		const others = this.#badCount > 1 ? `; ${this.#badCount} chunks in all cannot be had` : '';
		return new RouseError(error.code, `${disk.name}, chunk ${index}: ${error.message}${others}`, {
			cause: error,
			hint: error.hint,
			details: { ...error.details, disk: disk.name, index, badChunks: this.#badCount },
		});
	}

	#currentFailure(): RouseError | undefined {
		const ofTarget = this.disks.find(({ target }) => target?.failure)?.target?.failure;
		return this.#failure ?? ofTarget ?? this.#damageFailure();
	}

	#complete(): boolean {
		return this.disks.every(({ target }) => target?.summary().complete);
	}

	async #openTargets(): Promise<void> {
		for (const entry of this.disks) {
			if (entry.target?.failure) {
				await entry.target.close();
				entry.target = undefined;
			}
			try {
				entry.target ??= await openMigrationTarget(this.#recoveryId, entry.disk, this.#reached);
			} catch (error) {
				this.#log.error({ disk: entry.disk.name, err: error }, 'a target cannot be opened');
				this.#failure ??= asRouseError(error);
			}
		}
	}

	async #stop(): Promise<void> {
		const run = this.#run;
		if (run === undefined) return;
		run.stop.abort(new RouseError('interrupted', 'the copy was stopped'));
		await run.ended;
	}

	#inTurn(work: () => Promise<void>): Promise<void> {
		this.#turns += 1;
		const turn = this.#turn.then(work).finally(() => {
			this.#turns -= 1;
		});
		this.#turn = turn.catch(() => {});
		return turn;
	}
}
