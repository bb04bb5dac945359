import type { ImportProgress } from '../../model/import-view.ts';
import type { ImportProgress as DiskProgress } from '../../repository/import/import-request.ts';
import { machineProgress } from '../machine/machine-progress.ts';
import type { ReadPace } from '../machine/read-pace.ts';

/** Often enough for who watches; each goes through a pipe, and some of them through Temporal. */
const tellEveryMs = 1_000;
/** What a rate is the mean of: changes lie in heaps. */
const lookedBackMs = 20_000;

interface Sample {
	atMs: number;
	doneBytes: number;
	readBytes: number;
}

/** Of one disk after the other makes how far the machine is, and when it will be done. */
export class CopyProgress {
	readonly #disks: readonly { sizeBytes: number }[];
	readonly #pace: Pick<ReadPace, 'readBytes'>;
	readonly #told: (progress: ImportProgress) => void;
	readonly #now: () => number;
	/** The oldest first. */
	#samples: Sample[] = [];

	constructor(
		disks: readonly { sizeBytes: number }[],
		pace: Pick<ReadPace, 'readBytes'>,
		told: (progress: ImportProgress) => void,
		now: () => number = () => performance.now(),
	) {
		this.#disks = disks;
		this.#pace = pace;
		this.#told = told;
		this.#now = now;
	}

	tell(ofDisk: DiskProgress): void {
		const atMs = this.#now();
		const last = this.#samples.at(-1);
		const { doneBytes, totalBytes } = machineProgress(this.#disks, ofDisk);
		if (last !== undefined && atMs - last.atMs < tellEveryMs && doneBytes < totalBytes) return;
		const { readBytes } = this.#pace;
		// One is always left to compare with: a read may take longer.
		const before = this.#samples.filter(sample => sample === last || atMs - sample.atMs <= lookedBackMs);
		this.#samples = [...before, { atMs, doneBytes, readBytes }];
		const [first] = this.#samples;
		const perSecond = (bytes: number) => (first && atMs > first.atMs ? (bytes * 1000) / (atMs - first.atMs) : 0);
		const doneRate = perSecond(doneBytes - (first?.doneBytes ?? 0));
		this.#told({
			doneBytes,
			totalBytes,
			readBytes,
			newBytes: ofDisk.newBytes,
			rateBytes: Math.round(perSecond(readBytes - (first?.readBytes ?? 0))),
			etaMs: doneRate > 0 ? Math.round(((totalBytes - doneBytes) / doneRate) * 1000) : null,
		});
	}
}
