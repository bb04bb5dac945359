import { type ResourceLimits, Worker } from 'node:worker_threads';
import { errorDocumentSchema } from '../model/error-document.ts';
import { asRouseError, type ErrorDocument, RouseError } from '../model/errors.ts';
import * as z from 'zod';

/** A thread has died and nobody knows how far it came with a job. */
export class ThreadLost extends Error {
	override name = 'ThreadLost';

	/** The cause is in the message: it may be all that is told of it. */
	constructor(what: string, cause?: unknown) {
		super(cause === undefined ? what : `${what}: ${asRouseError(cause).message}`, { cause });
	}
}

export interface ThreadPoolOptions<Answer> {
	/** A program that calls `answerJobs` (thread-jobs.ts). */
	entry: URL;
	/** What each thread is told once, when it starts. */
	setup?: unknown;
	/** Threads at most. The first is started by the first job, another one while all that there are have as many jobs as they take. */
	most: number;
	/** Jobs that a thread has at once, so that it need not wait for us between two. */
	jobsEach?: number;
	/** Work goes on for long once it has begun: another thread is not put off until the one before it has started. */
	startsTogether?: boolean;
	/** Threads without a job for so long are ended. */
	idleMs?: number;
	/** Of what a job was answered with. */
	parse: (answer: unknown) => Answer;
}

interface Job<Answer> {
	data: unknown;
	/** Not 0: the thread is to stop where it can; it looks at it, since a message reaches no thread that is busy. */
	stop: Int32Array;
	resolve: (answer: Answer) => void;
	reject: (error: unknown) => void;
}

interface Thread<Answer> {
	worker: Worker;
	online: boolean;
	jobs: Map<number, Job<Answer>>;
	idle: NodeJS.Timeout | undefined;
}

/** After so many deaths no thread is started any more: whatever kills them would kill the next. */
const mostDeaths = 3;

/** They hold a few objects a job: what they work on lies in shared memory. */
const resourceLimits: ResourceLimits = { maxYoungGenerationSizeMb: 8 };

const answerSchema = z.union([
	z.object({ id: z.int(), answer: z.unknown(), failure: z.undefined().optional() }),
	z.object({ id: z.int(), failure: errorDocumentSchema }),
]);

/** Threads for what costs processor time, started when there is work and ended when there is none. */
export class ThreadPool<Answer> {
	readonly #options: Required<ThreadPoolOptions<Answer>>;
	readonly #threads = new Set<Thread<Answer>>();
	/** The end of each thread that there is, be it one that was ended for want of jobs a moment ago. */
	readonly #ends = new Set<Promise<void>>();
	readonly #queue: Job<Answer>[] = [];
	/** As many as can be had: fewer than were asked for where this machine has refused another one. */
	#most: number;
	#lastId = 0;
	#deaths = 0;
	#lastDeath: unknown;
	#closed = false;

	constructor(options: ThreadPoolOptions<Answer>) {
		this.#options = { setup: undefined, jobsEach: 2, startsTogether: false, idleMs: 5_000, ...options };
		this.#most = options.most;
	}

	get threads(): number {
		return this.#threads.size;
	}

	/** No job is taken any more: too many threads have died, or it is closed. */
	get isOver(): boolean {
		return this.#closed || this.#deaths >= mostDeaths;
	}

	/**
	 * Has a thread do a job; what is shared in `data` is the job's until this has settled, which it does only when nothing works on
	 * it any more. Rejects with what the thread threw, with `ThreadLost`, and with the signal's reason, if it had not begun then:
	 * a job that is under way is told to stop and answers as it can.
	 */
	run(data: unknown, signal?: AbortSignal): Promise<Answer> {
		if (signal?.aborted) return Promise.reject(signal.reason);
		if (this.isOver)
			return Promise.reject(
				this.#closed
					? new ThreadLost('the threads are closed')
					: new ThreadLost('too many threads have died', this.#lastDeath),
			);
		const { promise, resolve, reject } = Promise.withResolvers<Answer>();
		const job = { data, stop: new Int32Array(new SharedArrayBuffer(4)), resolve, reject };
		const onAbort = () => this.#abort(job, signal?.reason);
		signal?.addEventListener('abort', onAbort, { once: true });
		this.#queue.push(job);
		this.#assign();
		return promise.finally(() => signal?.removeEventListener('abort', onAbort));
	}

	/** Has running jobs stop and ends the threads; resolves when none is left. */
	async close(): Promise<void> {
		this.#closed = true;
		for (const job of this.#queue.splice(0)) job.reject(new ThreadLost('the threads are closed'));
		for (const thread of this.#threads) {
			for (const [id, { stop }] of thread.jobs) tellToStop(thread.worker, id, stop);
			if (thread.jobs.size === 0) this.#end(thread);
		}
		await Promise.all(this.#ends);
	}

	#assign(): void {
		while (this.#queue.length > 0) {
			const free = this.#leastBusy();
			if (free === undefined || free.jobs.size >= this.#options.jobsEach) {
				const isStarting = [...this.#threads].some(({ online }) => !online);
				if ((isStarting && !this.#options.startsTogether) || this.#threads.size >= this.#most) return;
				this.#start();
				continue;
			}
			const job = this.#queue.shift();
			if (job !== undefined) this.#give(free, job);
		}
	}

	#leastBusy(): Thread<Answer> | undefined {
		let least: Thread<Answer> | undefined;
		for (const thread of this.#threads) if (least === undefined || thread.jobs.size < least.jobs.size) least = thread;
		return least;
	}

	#give(thread: Thread<Answer>, job: Job<Answer>): void {
		clearTimeout(thread.idle);
		thread.worker.ref();
		this.#lastId += 1;
		thread.jobs.set(this.#lastId, job);
		tell(thread.worker, { id: this.#lastId, job: job.data, stop: job.stop });
	}

	#start(): void {
		const { entry, setup } = this.#options;
		let worker: Worker;
		try {
			worker = new Worker(entry, { workerData: setup, resourceLimits });
		} catch (cause) {
			// As where the system allows no more of them (EAGAIN): those that there are do it all.
			if (this.#threads.size > 0) this.#most = this.#threads.size;
			else this.#died(new ThreadLost('no thread can be started', cause));
			return;
		}
		const { promise: end, resolve: ended } = Promise.withResolvers<void>();
		const thread: Thread<Answer> = { worker, online: false, jobs: new Map(), idle: undefined };
		this.#threads.add(thread);
		this.#ends.add(end);
		let why: unknown;
		worker.once('online', () => {
			thread.online = true;
			this.#assign();
		});
		worker.on('message', (message: unknown) => this.#answered(thread, message));
		worker.on('error', error => {
			why = error;
		});
		worker.once('exit', () => {
			this.#gone(thread, why);
			this.#ends.delete(end);
			ended();
		});
	}

	#answered(thread: Thread<Answer>, message: unknown): void {
		const answer = answerSchema.parse(message);
		const job = thread.jobs.get(answer.id);
		thread.jobs.delete(answer.id);
		if (job === undefined) return;
		if (answer.failure !== undefined) job.reject(RouseError.fromDocument(answer.failure));
		else this.#resolve(job, answer.answer);
		this.#assign();
		if (thread.jobs.size > 0) return;
		if (this.#closed) this.#end(thread);
		else this.#rest(thread);
	}

	#resolve(job: Job<Answer>, answer: unknown): void {
		try {
			job.resolve(this.#options.parse(answer));
		} catch (error) {
			job.reject(error);
		}
	}

	#rest(thread: Thread<Answer>): void {
		thread.worker.unref();
		thread.idle = setTimeout(() => this.#end(thread), this.#options.idleMs).unref();
	}

	/** Of one without jobs. */
	#end(thread: Thread<Answer>): void {
		clearTimeout(thread.idle);
		thread.worker.ref(); // whoever waits for its end
		void thread.worker.terminate();
		this.#threads.delete(thread);
	}

	#gone(thread: Thread<Answer>, why: unknown): void {
		const expected = !this.#threads.delete(thread);
		clearTimeout(thread.idle);
		if (expected) return;
		const lost = new ThreadLost('a thread has died', why);
		for (const job of thread.jobs.values()) job.reject(lost);
		this.#died(lost);
		this.#assign();
	}

	#died(lost: ThreadLost): void {
		this.#deaths += 1;
		this.#lastDeath = lost.cause ?? this.#lastDeath;
		if (this.#deaths >= mostDeaths) for (const job of this.#queue.splice(0)) job.reject(lost);
	}

	#abort(job: Job<Answer>, reason: unknown): void {
		const at = this.#queue.indexOf(job);
		if (at >= 0) {
			this.#queue.splice(at, 1);
			job.reject(reason);
			return;
		}
		for (const thread of this.#threads)
			for (const [id, running] of thread.jobs) if (running === job) tellToStop(thread.worker, id, job.stop);
	}
}

function tellToStop(worker: Worker, id: number, stop: Int32Array): void {
	Atomics.store(stop, 0, 1);
	tell(worker, { stop: id }); // it may wait for something
}

function tell(worker: Worker, order: ThreadOrder<unknown>): void {
	worker.postMessage(order);
}

/** What a thread is told: a job, with the word that stops it, or that one is to stop; for thread-jobs.ts. */
export type ThreadOrder<Data> = { id: number; job: Data; stop: Int32Array } | { stop: number };

/** What a thread answers; for thread-jobs.ts. */
export type ThreadAnswer = { id: number; answer: unknown } | { id: number; failure: ErrorDocument };
