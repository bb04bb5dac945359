import type { Clock } from '../../system/clock.ts';

/** For each 128 KiB. Out of the host's cache that takes 10 to 60 us. */
const slowMs = 0.2;
const slowPerBytes = 128 * 1024;
/** Too long even for a process that somebody else on the processor held up. */
const verySlowMs = 2;
/**
 * How many reads go to the thread pool after a slow one, before one is tried again: twice as many each time that it comes
 * from the disk again, so that a target which is not in the cache holds up others at one read in a thousand.
 */
const fewestPolite = 32;
const mostPolite = 1024;

/**
 * Whether reads of a file may be made at once, as out of the host's cache, or hold up whoever is served by the same thread. A
 * read that took long came from a disk when the process has read blocks since. Where no file system counts them only
 * time tells: two very slow ones in turn.
 */
export class ReadSpeed {
	readonly #clock: Pick<Clock, 'now'>;
	readonly #blocksRead: () => number;
	#blocksBefore: number;
	#startedAt = 0;
	#politeLeft = 0;
	/** How many they will be after the next slow read, and how many quick ones there were since the last. */
	#polite = fewestPolite;
	#quick = 0;
	#verySlow = false;

	/** `blocksRead`: by this process, from disks, so far (`ru_inblock`, getrusage(2)). */
	constructor(clock: Pick<Clock, 'now'>, blocksRead: () => number = () => process.resourceUsage().fsRead) {
		this.#clock = clock;
		this.#blocksRead = blocksRead;
		this.#blocksBefore = blocksRead();
	}

	/** False: this read is for the thread pool. Else say when it has ended. */
	begin(): boolean {
		if (this.#politeLeft > 0) {
			this.#politeLeft -= 1;
			return false;
		}
		this.#startedAt = this.#clock.now();
		return true;
	}

	end(length: number): void {
		const tookMs = this.#clock.now() - this.#startedAt;
		if (tookMs > slowMs * Math.ceil(length / slowPerBytes)) this.#slow(tookMs);
		else {
			this.#verySlow = false;
			if (this.#polite > fewestPolite && ++this.#quick >= this.#polite) this.#polite = fewestPolite;
		}
	}

	#slow(tookMs: number): void {
		const blocks = this.#blocksRead();
		const fromDisk = blocks > this.#blocksBefore;
		this.#blocksBefore = blocks;
		const again = this.#verySlow;
		this.#verySlow = tookMs > verySlowMs;
		if (fromDisk) {
			this.#politeLeft = this.#polite;
			this.#polite = Math.min(2 * this.#polite, mostPolite);
			this.#quick = 0;
		} else if (again && this.#verySlow) this.#politeLeft = fewestPolite;
	}
}
