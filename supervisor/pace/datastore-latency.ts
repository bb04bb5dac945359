import { open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../system/clock.ts';
import { deviceNumbers, type DiskStatistics, meanMs, statisticsOf } from './disk-statistics.ts';

export interface SeenLatency {
	ms: number;
	/** For people: what was looked at. */
	source: string;
}

const probes = 3;
/** So long a look waits for them; the next one finds them under way. */
const longestMs = 2_000;
const probeBytes = Buffer.alloc(4096);

/**
 * Of the block device under a directory, as Linux counts it: all that guests, copies and others do there. Where there is no
 * such device, it is tried: what a small write takes until it is on the medium.
 */
export class DatastoreLatency {
	readonly #directory: string;
	readonly #probePath: string;
	readonly #clock: Pick<Clock, 'now' | 'delay'>;
	#before: { statistics: DiskStatistics; atMs: number } | undefined;
	#probing: { sinceMs: number; took: Promise<number>; ended: boolean } | undefined;

	/** `probePath`: a file of a few KiB, on the same file system as a rule. */
	constructor(directory: string, probePath: string, clock: Pick<Clock, 'now' | 'delay'>) {
		this.#directory = directory;
		this.#probePath = probePath;
		this.#clock = clock;
	}

	/** Since it was asked last. */
	async look(): Promise<SeenLatency | undefined> {
		if (this.#probing?.ended === false) return this.#probe();
		const { dev } = await stat(this.#directory, { bigint: true });
		const statistics = statisticsOf(await readFile('/proc/diskstats', 'utf8'), deviceNumbers(dev));
		if (statistics === undefined) return this.#probe();
		const [before, atMs] = [this.#before, this.#clock.now()];
		this.#before = { statistics, atMs };
		const ms = before && meanMs(before.statistics, statistics, atMs - before.atMs);
		return typeof ms === 'number' ? { ms, source: `device ${statistics.name}` } : undefined;
	}

	async #probe(): Promise<SeenLatency> {
		const source = `a write to ${dirname(this.#probePath)}`;
		if (this.#probing?.ended === false) return { ms: this.#clock.now() - this.#probing.sinceMs, source };
		const probing = { sinceMs: this.#clock.now(), took: this.#write(), ended: false };
		this.#probing = probing;
		const over = () => {
			probing.ended = true;
		};
		probing.took.then(over, over);
		const waited = new AbortController();
		await Promise.race([probing.took, this.#clock.delay(longestMs, waited.signal).catch(() => undefined)]);
		waited.abort();
		return { ms: probing.ended ? await probing.took : this.#clock.now() - probing.sinceMs, source };
	}

	/** The middle one: one of them may meet what has nothing to do with load. */
	async #write(): Promise<number> {
		const file = await open(this.#probePath, 'w', 0o600);
		try {
			const took: number[] = [];
			for (let n = 0; n < probes; n += 1) {
				const begun = this.#clock.now();
				await file.write(probeBytes, 0, probeBytes.length, 0);
				await file.datasync();
				took.push(this.#clock.now() - begun);
			}
			return took.toSorted((one, other) => one - other)[1] ?? 0;
		} finally {
			await file.close();
		}
	}
}
