import type { Clock } from '../../system/clock.ts';

/** Time without use that may be made up for. */
const burstMs = 200;

/** Who waits was late for what came meanwhile: that is no burst, but a process that was stopped for a minute makes none of it. */
const lateMs = 400;

/** What guests have read ahead of a copy holds it up for so long at most, once they read no more. */
const longestDebtMs = 1_000;

/** A copy that had nothing to ask for between two requests gets afterwards what it missed; one that missed more is new. */
const missedMs = 500;

/** Longer ones setTimeout takes for 1 ms (https://nodejs.org/api/timers.html); after this one the rest is waited for. */
const longestDelayMs = 2 ** 31 - 1;

/** A copy gets so much of the rate however much guests read: it is to end some day. */
const leastOfCopies = 1 / 16;

interface Waiter {
	bytes: number;
	granted: () => void;
}

interface Stream {
	/** What it was given, as the start of its next piece: the stream with the least goes first. */
	given: number;
	waiters: Waiter[];
}

type Timing = Pick<Clock, 'now' | 'delay'>;

/**
 * A rate in bytes a second for all who read from one repository; 0 is unlimited. What guests read is counted, and never
 * waits; what is left is shared equally among the copies that want it, whatever the sizes of their pieces and however many
 * each asks for at once (start-time fair queueing, Goyal et al. 1996).
 */
export class SharedRate {
	readonly #clock: Timing;
	readonly #streams = new Map<string, Stream>();
	#rate = 0;
	#tokens = 0;
	#ofGuests = 0;
	#filledAtMs: number;
	/** What the stream that was served last had been given before. */
	#served = 0;
	#serving = false;
	#changed = new AbortController();

	constructor(clock: Timing) {
		this.#clock = clock;
		this.#filledAtMs = clock.now();
	}

	get rate(): number {
		return this.#rate;
	}

	/** Takes effect at once, also for who waits. */
	setRate(bytesPerSecond: number): void {
		if (bytesPerSecond === this.#rate) return;
		this.#rate = bytesPerSecond;
		this.#tokens = this.#ofGuests = 0;
		this.#filledAtMs = this.#clock.now();
		this.#changed.abort();
		this.#changed = new AbortController();
	}

	/** A guest reads so much, now. */
	spend(bytes: number): void {
		if (this.#rate === 0) return;
		this.#fill(this.#serving ? lateMs : burstMs);
		this.#ofGuests = Math.min((this.#rate * longestDebtMs) / 1000, this.#ofGuests + bytes);
	}

	/** Resolves when the copy `name` may have so much; rejects with the signal's reason. */
	async take(name: string, bytes: number, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		if (this.#rate === 0) return;
		const stream = this.#stream(name);
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		const waiter = { bytes, granted: resolve };
		const leave = () => {
			stream.waiters = stream.waiters.filter(other => other !== waiter);
			reject(signal.reason);
		};
		signal.addEventListener('abort', leave, { once: true });
		stream.waiters.push(waiter);
		void this.#serve();
		try {
			await promise;
		} finally {
			signal.removeEventListener('abort', leave);
		}
	}

	#stream(name: string): Stream {
		const missed = this.#served - (this.#rate * missedMs) / 1000;
		for (const [other, { given, waiters }] of this.#streams)
			if (waiters.length === 0 && given < missed) this.#streams.delete(other);
		// Who is new begins where the others are.
		const stream = this.#streams.get(name) ?? { given: this.#served, waiters: [] };
		this.#streams.set(name, stream);
		return stream;
	}

	async #serve(): Promise<void> {
		if (this.#serving) return;
		this.#serving = true;
		this.#fill(burstMs);
		for (let next = this.#next(); next !== undefined; next = this.#next()) {
			if (this.#rate !== 0 && this.#tokens < 0) {
				const { signal } = this.#changed;
				await this.#clock.delay(this.#waitMs(), signal).catch(() => undefined); // the rate has changed
				this.#fill(lateMs);
				continue;
			}
			const waiter = next.waiters.shift();
			if (waiter === undefined) continue;
			this.#served = next.given;
			next.given += waiter.bytes;
			if (this.#rate !== 0) this.#tokens -= waiter.bytes;
			waiter.granted();
		}
		this.#serving = false;
	}

	#next(): Stream | undefined {
		let first: Stream | undefined;
		for (const stream of this.#streams.values())
			if (stream.waiters.length > 0 && (first === undefined || stream.given < first.given)) first = stream;
		return first;
	}

	/** Until nothing is owed: what comes in pays for guests first, but for the least that copies get. */
	#waitMs(): number {
		const owed = -this.#tokens;
		const seconds = Math.min(owed / leastOfCopies, owed + this.#ofGuests) / this.#rate;
		return Math.min(longestDelayMs, Math.max(1, Math.ceil(seconds * 1000)));
	}

	#fill(mostMs: number): void {
		const now = this.#clock.now();
		const earned = (this.#rate * (now - this.#filledAtMs)) / 1000;
		const forGuests = Math.min(this.#ofGuests, earned * (1 - leastOfCopies));
		this.#ofGuests -= forGuests;
		this.#tokens = Math.min((this.#rate * mostMs) / 1000, this.#tokens + earned - forGuests);
		this.#filledAtMs = now;
	}
}
