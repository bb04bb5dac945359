import { asRouseError, RouseError } from '../../model/errors.ts';

type Work<T> = (signal: AbortSignal) => Promise<T>;

interface Item {
	key: string;
	generation: number;
	abort: AbortController;
	result: Promise<unknown>;
	begin: () => Promise<void>;
}

/**
 * All that is done to one recovery, one thing after the other. A request of a higher generation interrupts what an older
 * one runs and refuses what older ones wait for; the same request twice in a row is one piece of work.
 */
export class StepQueue {
	#generation: number;
	#waiting: Item[] = [];
	#running: Item | undefined;
	#background: Item | undefined;
	#stopped = false;

	constructor(generation: number) {
		this.#generation = generation;
	}

	get busy(): boolean {
		return this.#running !== undefined || this.#waiting.length > 0;
	}

	/**
	 * Runs `work` when its turn comes. `key` says what is asked for: when nothing else was asked for since, the same key of
	 * the same generation attaches to what waits or runs. What was asked for last is done last: off, on, off ends off.
	 * Throws `generation_stale` when a higher generation was seen, now, in the queue or before it ended.
	 */
	run<T>(key: string, generation: number, work: Work<T>): Promise<T> {
		if (this.#stopped) return Promise.reject(stoppedError());
		if (generation < this.#generation) return Promise.reject(staleError(generation, this.#generation));
		this.#outrank(generation);
		const last = this.#waiting.at(-1) ?? this.#running;
		// The key stands for the kind of work, so for the kind of its result as well.
		if (last?.key === key && last.generation === generation) return last.result as Promise<T>;
		const { item, result } = this.#item(key, generation, work);
		this.#waiting.push(item);
		this.#next();
		return result;
	}

	/** Work of the supervisor itself, between the requests: only when nothing waits, and once however often it is asked for. */
	background(work: Work<void>): Promise<void> {
		if (this.#background) return this.#background.result as Promise<void>;
		const { item, result } = this.#item('', this.#generation, work);
		this.#background = item;
		this.#next();
		return result;
	}

	/** Interrupts what runs and lets nothing more begin. Resolves when it has come to rest. */
	async stop(): Promise<void> {
		this.#stopped = true;
		this.#running?.abort.abort(stoppedError());
		await this.#running?.result.catch(() => undefined);
	}

	#outrank(generation: number): void {
		if (generation <= this.#generation) return;
		this.#generation = generation;
		if (this.#running && this.#running.generation < generation)
			this.#running.abort.abort(staleError(this.#running.generation, generation));
	}

	#item<T>(key: string, generation: number, work: Work<T>): { item: Item; result: Promise<T> } {
		const abort = new AbortController();
		const { promise, resolve, reject } = Promise.withResolvers<T>();
		promise.catch(() => undefined); // whoever asked may be gone; the state tells how it went
		const begin = async () => {
			if (this.#stopped) return reject(stoppedError());
			// Looked at again: a higher generation may have come while this one waited. Background work has none of its own.
			if (key !== '' && generation < this.#generation) return reject(staleError(generation, this.#generation));
			try {
				resolve(await work(abort.signal));
			} catch (error) {
				reject(abort.signal.aborted ? interruptedError(abort.signal, error) : error);
			}
		};
		return { item: { key, generation, abort, result: promise, begin }, result: promise };
	}

	#next(): void {
		if (this.#running) return;
		const item = this.#waiting.shift() ?? this.#background;
		if (item === undefined) return;
		this.#running = item;
		void item.begin().finally(() => {
			this.#running = undefined;
			if (this.#background === item) this.#background = undefined;
			this.#next();
		});
	}
}

function staleError(generation: number, highest: number): RouseError {
	return new RouseError('generation_stale', `generation ${generation} is over: ${highest} was asked for since`, {
		details: { generation: highest },
	});
}

function stoppedError(): RouseError {
	return new RouseError('interrupted', 'the supervisor ends; what was asked for is carried on by the next');
}

/** What was interrupted failed because of that, whatever it says itself. */
function interruptedError(signal: AbortSignal, cause: unknown): RouseError {
	const { code, message, details } = asRouseError(signal.reason);
	return new RouseError(code, message, { cause, details });
}
