import { availableParallelism } from 'node:os';
import * as z from 'zod';
import { errorDocumentSchema } from '../../model/error-document.ts';
import { type ErrorDocument, RouseError } from '../../model/errors.ts';
import { ThreadLost, ThreadPool } from '../../system/thread-pool.ts';
import type { CopyAnswer, CopyJob } from './copy-job.ts';
import { FileWriteError } from './file-write-error.ts';

/** Of a disk, asked of a thread at once: ranges of a megabyte where chunks shrink to a half. */
export const copyBatchBytes = 2 * 1024 * 1024;

/** Of a disk, on its way at any time, unless it is one chunk. */
const mostInFlightBytes = 16 * 1024 * 1024;

/** What is copied without threads: a start of one costs as much as it saves. */
export const withoutThreadsBytes = 64 * 1024 * 1024;

const mostThreads = 4;

/** While one job is decoded and written, the chunks of the other are on their way. */
const jobsEach = 2;

const answerSchema: z.ZodType<CopyAnswer> = z.object({
	written: z.array(z.int()),
	why: errorDocumentSchema.optional(),
	writeError: z.object({ code: z.string(), message: z.string(), atBytes: z.int(), lengthBytes: z.int() }).optional(),
});

/** What came of the chunks of a job. */
export interface Copied {
	/** Which of them. */
	written: readonly number[];
	/** Why the others are not. */
	why?: ErrorDocument | undefined;
}

/**
 * Threads that fetch chunks, compare them and write them: the normal case and nothing else. What is damaged, lies elsewhere or
 * cannot be had now is left, for the way that knows about these (`VerifiedChunks`).
 */
export class CopyThreads {
	readonly #pool: ThreadPool<CopyAnswer>;
	readonly #most: number;

	/** `entry`: a program that answers jobs by `copyChunks` (copy-chunks.ts) from a source of its own; `setup`: what it needs for that. */
	constructor({
		entry,
		setup,
		most = mostThreads,
		idleMs,
	}: { entry: URL; setup: unknown; most?: number; idleMs?: number }) {
		this.#most = Math.min(availableParallelism(), most);
		this.#pool = new ThreadPool({
			entry,
			setup,
			most: this.#most,
			jobsEach,
			startsTogether: true,
			...(idleMs !== undefined && { idleMs }),
			parse: answer => answerSchema.parse(answer),
		});
	}

	/** How many there are now. */
	get threads(): number {
		return this.#pool.threads;
	}

	/** All that they are asked for is left from now on. */
	get areOver(): boolean {
		return this.#pool.isOver;
	}

	/** Jobs at once of up to `batchBytes` of disk. */
	lanes(batchBytes: number): number {
		return Math.max(1, Math.min(this.#most * jobsEach, Math.floor(mostInFlightBytes / batchBytes)));
	}

	/**
	 * Resolves when no thread writes for it any more: not before may its descriptor be closed, and what is not told as written be
	 * written by others. Throws {@link FileWriteError} when the file cannot be written; all else is a reason why chunks are left.
	 */
	async copy(job: CopyJob, signal: AbortSignal | undefined): Promise<Copied> {
		let answer: CopyAnswer;
		try {
			answer = await this.#pool.run(job, signal);
		} catch (error) {
			if (signal?.aborted) return { written: [] };
			if (error instanceof ThreadLost)
				return { written: [], why: new RouseError('internal', error.message, { cause: error.cause }).toDocument() };
			if (error instanceof RouseError) return { written: [], why: error.toDocument() };
			throw error;
		}
		if (answer.writeError) throw new FileWriteError(answer.writeError);
		return signal?.aborted ? { written: answer.written } : answer;
	}

	/** Has running jobs stop, and resolves when no thread is left. */
	close(): Promise<void> {
		return this.#pool.close();
	}
}
