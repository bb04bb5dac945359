import { RouseError } from '../model/errors.ts';
import type { Clock } from '../system/clock.ts';
import { untilAborted } from './until-aborted.ts';

/** Digests that are looked for, and whether all places of one are asked for, or one is enough. */
export type Wanted = ReadonlyMap<string, boolean>;

/**
 * Passes over a whole store, one at a time: with a pack a thousand chunks are lost, and many readers may ask for each. Who asks
 * for what the pass under way looks for waits for that; all others wait for the next one together.
 */
export class SharedPasses<T> {
	readonly #run: (wanted: Wanted, signal: AbortSignal) => Promise<T>;
	readonly #clock: Pick<Clock, 'now'>;
	readonly #joinMs: number;
	#running: Pass<T> | undefined;
	#next: Pass<T> | undefined;

	/** `joinMs`: a pass that is older answers nobody else, since it may have missed what was stored meanwhile. */
	constructor(
		run: (wanted: Wanted, signal: AbortSignal) => Promise<T>,
		{ clock, joinMs }: { clock: Pick<Clock, 'now'>; joinMs: number },
	) {
		this.#run = run;
		this.#clock = clock;
		this.#joinMs = joinMs;
	}

	/** What a pass gives that has looked for these, and maybe for others. It ends when nobody waits for it any more. */
	async find(digests: readonly string[], all: boolean, signal?: AbortSignal): Promise<T> {
		signal?.throwIfAborted();
		const pass = this.#passFor(digests, all);
		pass.waiting++;
		try {
			return await untilAborted(pass.result, signal);
		} finally {
			if (--pass.waiting === 0) pass.over.abort(new RouseError('interrupted', 'nobody waits for it any more'));
		}
	}

	#passFor(digests: readonly string[], all: boolean): Pass<T> {
		const running = this.#running;
		if (running !== undefined && !running.over.signal.aborted && this.#clock.now() - running.beganMs < this.#joinMs) {
			const looksFor = (digest: string) => (all ? running.wanted.get(digest) === true : running.wanted.has(digest));
			if (digests.every(looksFor)) return running;
		}
		const next = this.#next === undefined || this.#next.over.signal.aborted ? this.#queue(running) : this.#next;
		for (const digest of digests) next.wanted.set(digest, all || next.wanted.get(digest) === true);
		return next;
	}

	#queue(running: Pass<T> | undefined): Pass<T> {
		const before = running?.result.catch(() => {}) ?? Promise.resolve();
		const { promise: result, resolve } = Promise.withResolvers<T>();
		const pass: Pass<T> = { wanted: new Map(), beganMs: 0, waiting: 0, over: new AbortController(), result };
		result.catch(() => {}); // those who wait hear of it
		this.#next = pass;
		resolve(before.then(() => this.#begin(pass)));
		return pass;
	}

	async #begin(pass: Pass<T>): Promise<T> {
		if (this.#next === pass) this.#next = undefined;
		pass.over.signal.throwIfAborted();
		this.#running = pass;
		pass.beganMs = this.#clock.now();
		try {
			return await this.#run(pass.wanted, pass.over.signal);
		} finally {
			if (this.#running === pass) this.#running = undefined;
		}
	}
}

interface Pass<T> {
	/** Nothing is added any more when it has begun. */
	wanted: Map<string, boolean>;
	beganMs: number;
	waiting: number;
	over: AbortController;
	result: Promise<T>;
}
