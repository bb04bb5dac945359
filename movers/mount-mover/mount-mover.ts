import { lchown, stat } from 'node:fs/promises';
import type { ErrorDocument } from '../../model/errors.ts';
import { type NbdExport, NbdExports } from '../../nbd/server/export.ts';
import { type NbdServer, serveNbd } from '../../nbd/server/server.ts';
import type { ChunkSource } from '../../repository/chunk-source.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import type { Clock } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import type { Reached } from '../../system/reached.ts';
import type { MountMoverConfig, MountMoverState, RefusedWrites } from '../config.ts';
import type { RecordedReads } from '../first-reads.ts';
import { openRepositoryMover } from '../repository-mover/open-client.ts';
import { DiskExport } from './disk-export.ts';
import type { LocalDisk } from './local-disk.ts';
import { MountedDisks } from './mounted-disks.ts';
import { MountedVolume } from './mounted-volume.ts';
import { openLocalDisk } from './open-local-disk.ts';
import { OfferClient } from './offer-client.ts';
import type { RestorePointDisk } from './restore-point-disk.ts';
import { RestoredPoll } from './restored-poll.ts';

export interface MountMoverSurroundings {
	log: Log;
	reached: Reached;
	clock: Clock;
}

/** Opened by its configuration; closed by the mover. */
interface MountMoverParts {
	locals: readonly LocalDisk[];
	volume: MountedVolume | undefined;
	repository: ChunkSource;
}

/** Serves the disks of one recovery to its machine: local blocks from the targets, the others from the repository. */
class MountMover {
	readonly #config: MountMoverConfig;
	readonly #log: Log;
	readonly #source: RetryingChunkSource;
	readonly #mounted: MountedDisks;
	readonly #locals: readonly LocalDisk[];
	readonly #volume: MountedVolume | undefined;
	readonly #offers: OfferClient;
	readonly #poll: RestoredPoll;
	readonly #ended = new AbortController();
	readonly #polling: Promise<void>;
	#server: NbdServer | undefined;
	#refusedWrites: RefusedWrites | undefined;

	constructor(
		config: MountMoverConfig,
		{ locals, volume, repository }: MountMoverParts,
		{ log, reached, clock }: MountMoverSurroundings,
	) {
		this.#config = config;
		this.#log = log;
		this.#locals = locals;
		this.#volume = volume;
		this.#source = new RetryingChunkSource(repository, clock);
		this.#mounted = new MountedDisks({
			disks: config.disks.map(({ name, image }, number) => ({ name, image, local: locals[number] })),
			chunks: new VerifiedChunks(this.#source),
			open: this.#source.once,
			cacheBytes: config.cacheBytes,
			clock,
			recordsFirstReads: config.recordsFirstReads,
			firstReads: config.firstReads?.reads,
			onChunk: (disk, index, stored) => {
				reached('chunk-fetched');
				if (!disk.isRestored(index)) this.#offers.offer(disk.name, index, stored);
			},
			onDamage: (disk, index, error) => log.warn({ disk, index, err: error.toDocument() }, 'a chunk cannot be had'),
		});
		this.#offers = new OfferClient(config.offerSocket, this.#mounted.counters, clock);
		this.#poll = new RestoredPoll(
			locals.map(({ map }) => map),
			() => this.#mounted.lookAgain(),
			clock,
		);
		this.#polling = this.#poll.run(this.#ended.signal);
	}

	async listen(): Promise<void> {
		const { nbdSocket, disks } = this.#config;
		this.#server = await serveNbd(nbdSocket, new NbdExports(this.#exports()));
		// Where machines run as users of their own the target tells whose this is.
		const uid = disks[0] && (await stat(disks[0].target.path)).uid;
		if (process.getuid?.() === 0 && uid !== undefined && uid !== 0) await lchown(nbdSocket, uid, uid); // never where a link in its place leads
	}

	/** Somebody is connected to a disk. */
	get attended(): boolean {
		return (this.#server?.connections ?? 0) > 0;
	}

	state(): MountMoverState {
		const { waiting, counters, badChunks, firstFetch } = this.#mounted;
		return {
			recoveryId: this.#config.recoveryId,
			disks: this.#locals.map(({ restoredChunks, chunkCount }, number) => ({
				name: this.#config.disks[number]?.name ?? '',
				restoredChunks,
				chunks: chunkCount,
			})),
			waitingReads: waiting.count,
			oldestWaitMs: Math.round(waiting.oldestWaitMs),
			failing: waiting.failing,
			badChunks,
			refusedWrites: this.#refusedWrites,
			failure: this.#localFailure() ?? this.#poll.trouble ?? this.#source.trouble ?? null,
			firstReads: firstFetch && this.#config.firstReads && { ...this.#config.firstReads.from, ...firstFetch },
			counters: Object.fromEntries(Object.entries(counters)),
		};
	}

	/** See `MountedDisks`. */
	firstReads(): RecordedReads {
		return { firstReads: this.#mounted.firstReads() ?? null };
	}

	failPending(forMs: number): void {
		const failed = this.#mounted.waiting.failPending(forMs);
		this.#log.info({ forMs, failed }, 'reads that wait are failed');
	}

	serve(): void {
		for (const local of this.#locals) local.forgetFailure();
		this.#mounted.serve();
		this.#log.info('reads may wait again');
	}

	/** What is kept to be used again. */
	letGo(): void {
		this.#mounted.letGo();
	}

	/** Ends all connections and waits for nothing. */
	async close(): Promise<void> {
		this.#ended.abort();
		await this.#server?.close();
		await this.#mounted.close();
		this.#offers.close();
		await this.#source.close();
		await this.#polling;
		for (const local of this.#locals) await local.close();
		await this.#volume?.close();
	}

	/** First of all: it takes a person, and nothing waits for it to end, since such a read is answered with EIO. */
	#localFailure(): ErrorDocument | undefined {
		const failed = [...this.#locals, this.#volume].find(local => local?.failure);
		return failed?.failure?.toDocument();
	}

	/** `disk0` is the name for people and tools; QEMU asks `disk0-now` first and then `disk0-wait`. So with `volume`. */
	#exports(): NbdExport[] {
		const { recoveryId } = this.#config;
		const { disks, waiting, counters } = this.#mounted;
		const onWriteRefused = (refused: Omit<RefusedWrites, 'count'>) => {
			this.#refusedWrites = { ...refused, count: (this.#refusedWrites?.count ?? 0) + 1 };
		};
		const named = (suffix: string, patient: boolean) => (disk: RestorePointDisk) =>
			new DiskExport(`${disk.name}${suffix}`, `${disk.name} of recovery ${recoveryId}`, {
				disk,
				waiting,
				counters,
				patient,
				onWriteRefused,
			});
		const plain = disks.map(named('', true));
		const [now, wait] = [disks.map(named('-now', false)), disks.map(named('-wait', true))];
		const exports = [...plain, ...now, ...wait];
		if (this.#volume === undefined) return exports;
		const ofVolume = { description: `volume of recovery ${recoveryId}`, onWriteRefused };
		return [...exports, ...this.#volume.exports(ofVolume, { plain, now, wait })];
	}
}

/**
 * Opens targets and maps, and the volume if there is one, and returns the mover, not listening yet. `identity_conflict` when
 * a map belongs to another recovery or target, `io_failed` when a file cannot be opened, `format_damaged` for a volume that
 * is not whole.
 */
export async function openMountMover(
	config: MountMoverConfig,
	surroundings: MountMoverSurroundings,
): Promise<MountMover> {
	const locals: LocalDisk[] = [];
	for (const disk of config.disks) locals.push(await openLocalDisk(config.recoveryId, disk, surroundings.clock));
	const volume = config.volume && (await MountedVolume.open(config.volume, surroundings.clock));
	const repository = await openRepositoryMover(config);
	return new MountMover(config, { locals, volume, repository }, surroundings);
}
