/**
 * How reads of restored blocks get along with reads that wait for the repository, over iSCSI: `node bench/cold-reads.ts`
 * prints JSON. Real movers, qemu-storage-daemon, tgtd, and QEMU's own initiator. The repository mover is ended, so many
 * cold reads are begun, and local ones beside them; in the last round the mount mover is killed and started again. Takes root.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { NbdClient } from '../nbd/client/client.ts';
import { qemuInitiator, startSampleTarget } from '../test/equipment/iscsi-targets.ts';
import { type MountMover, mountState } from '../test/equipment/mount-movers.ts';
import { startMigrationMover, startRepositoryMover } from '../test/equipment/movers.ts';
import { sourceOf } from '../test/equipment/stored-disk.ts';
import { serveVolume } from '../test/equipment/volumes.ts';

const MiB = 1024 * 1024;
const chunkBytes = 128 * 1024;
const diskBytes = 128 * MiB;
const localBytes = 24 * MiB;
const coldAtBytes = 96 * MiB;
/** Between cold reads: neighbours would be fetched ahead. */
const strideBytes = 3 * chunkBytes;
const roundMs = 5_000;
const rounds = [{ held: 0 }, { held: 1 }, { held: 5 }, { held: 20 }, { held: 40 }, { held: 5, kill: true }];

const never = new AbortController().signal;

/** Reads of 4 KiB at random places, two at once on each connection, until told to end. */
class LocalReads {
	readonly #diskAt: number;
	readonly #tookMs: number[] = [];
	readonly #since = new Set<number>();
	readonly #loops: Promise<void>[];
	#failed = 0;
	#ended = false;

	constructor(clients: readonly NbdClient[], diskAt: number) {
		this.#diskAt = diskAt;
		this.#loops = [...clients, ...clients].map(client => this.#loop(client));
	}

	/** Since it began. */
	figures(): Record<string, number> {
		const sorted = this.#tookMs.toSorted((a, b) => a - b);
		const of = (share: number) => rounded(sorted[Math.floor(sorted.length * share)] ?? NaN);
		const stuck = [...this.#since].filter(since => performance.now() - since > 1000).length;
		return { reads: sorted.length, p50: of(0.5), p99: of(0.99), max: rounded(sorted.at(-1) ?? NaN), stuck };
	}

	async end(): Promise<{ failed: number; longestMs: number }> {
		this.#ended = true;
		await Promise.all(this.#loops);
		return { failed: this.#failed, longestMs: rounded(Math.max(...this.#tookMs)) };
	}

	async #loop(client: NbdClient): Promise<void> {
		const into = Buffer.alloc(4096);
		while (!this.#ended) {
			const startedAt = performance.now();
			this.#since.add(startedAt);
			const at = this.#diskAt + Math.floor((Math.random() * localBytes) / 4096) * 4096;
			await client.read(at, into, never).catch(() => (this.#failed += 1));
			this.#since.delete(startedAt);
			this.#tookMs.push(performance.now() - startedAt);
		}
	}
}

const endings: (() => unknown)[] = [];
const t = { after: (end: () => unknown) => void endings.push(end) };
try {
	await measure();
} finally {
	for (const end of endings) await end();
}

async function measure(): Promise<void> {
	const served = await serveVolume(t, [sourceOf(randomBytes(diskBytes))]);
	const { directory, partition, volume, payloadsAt } = served;
	await restoreBeginning(directory, served.mover);
	const diskAt = partition.offsetBytes + (volume.files[0]?.extents[0]?.offsetBytes ?? 0) + (payloadsAt[0] ?? 0);
	const connect = await qemuInitiator(t, await startSampleTarget(t, served.mover.config.nbdSocket));
	const local = [await connect(), await connect()];
	// An NBD server of QEMU's takes 16 requests at once on a connection.
	const cold = await Promise.all([connect(), connect(), connect()]);
	let { repository } = served;
	let coldAt = diskAt + coldAtBytes;
	for (const { held, kill = false } of rounds) {
		await repository.end('SIGKILL');
		const before = new LocalReads(local, diskAt);
		const waiting = Array.from({ length: held }, async (_, number) => {
			await delay(500);
			await cold[number % cold.length]?.read(coldAt + number * strideBytes, Buffer.alloc(4096), never);
		});
		coldAt += held * strideBytes;
		await delay(1_000);
		const beside = new LocalReads(local, diskAt);
		if (kill) {
			await served.mover.end('SIGKILL');
			served.mover = await served.start();
		}
		await delay(roundMs);
		const figures = { beside: beside.figures(), underWayAtArrival: before.figures() };
		repository = await startRepositoryMover(t, directory, join(directory, 'repository'));
		const failedCold = (await Promise.allSettled(waiting)).filter(({ status }) => status === 'rejected').length;
		console.log(JSON.stringify({ held, kill, ...figures, failedCold, ends: [await before.end(), await beside.end()] }));
	}
	for (const client of [...local, ...cold]) await client.close();
}

async function restoreBeginning(directory: string, mover: MountMover): Promise<void> {
	const migration = await startMigrationMover(t, directory, mover.config.disks);
	await migration.control.copy(32 * MiB);
	// Twice as much, since chunks are not restored in their order.
	await mountState(mover, 'restored', ({ disks }) => (disks[0]?.restoredChunks ?? 0) * chunkBytes > 2 * localBytes);
	await migration.end('SIGKILL');
}

function rounded(ms: number): number {
	return Math.round(ms * 10) / 10;
}
