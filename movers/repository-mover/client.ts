import { Agent, type IncomingMessage, request } from 'node:http';
import type { ChunkRef } from '../../model/chunk.ts';
import { asRouseError, type ErrorDocument, RouseError } from '../../model/errors.ts';
import type { ChunkClass, ChunkSource, StoredChunk } from '../../repository/chunk-source.ts';
import { isDamage } from '../../repository/fetch-chunk.ts';
import { Backoff } from './backoff.ts';
import { encodeRequest, FrameReader, maxReferences } from './wire.ts';

export interface RepositoryMoverClientOptions {
	/** The repository mover's chunk socket. */
	chunkSocket: string;
	/**
	 * True: a mover that is not there, dies or says that its repository does not answer means waiting, for ever if need
	 * be; only damage (`chunk_missing`, `chunk_bad`, `format_damaged`) is thrown. False: three attempts without a chunk
	 * between them, then `mover_unreachable` or what the mover said.
	 */
	retryForever: boolean;
}

const attemptsOtherwise = 3;

/** Where a mover's chunks come from. */
export interface PatientSource extends ChunkSource {
	/** Why the last attempt failed, while none has succeeded since. */
	readonly trouble: ErrorDocument | undefined;
}

/**
 * Chunks from a repository mover, over connections that are kept. A fetch that is cut off goes on, with the mover that
 * comes next, at the first chunk that was not yielded: its caller sees only that it took longer.
 */
export class RepositoryMoverClient implements PatientSource {
	readonly #options: RepositoryMoverClientOptions;
	readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 16 });
	readonly #closed = new AbortController();
	#trouble: ErrorDocument | undefined;

	constructor(options: RepositoryMoverClientOptions) {
		this.#options = options;
	}

	get trouble(): ErrorDocument | undefined {
		return this.#trouble;
	}

	async *fetch(
		refs: readonly ChunkRef[],
		options: { class: ChunkClass; locate?: boolean; signal?: AbortSignal | undefined },
	): AsyncGenerator<StoredChunk, void, undefined> {
		const signal = options.signal ? AbortSignal.any([options.signal, this.#closed.signal]) : this.#closed.signal;
		const path = `/chunks?class=${options.class}${options.locate ? '&locate=1' : ''}`;
		const backoff = new Backoff();
		for (let done = 0; done < refs.length; ) {
			try {
				const batch = refs.slice(done, done + maxReferences);
				for await (const chunk of this.#attempt(path, batch, signal)) {
					done += 1;
					this.#trouble = undefined;
					backoff.reset();
					yield chunk;
				}
			} catch (thrown) {
				signal.throwIfAborted();
				const error = asRouseError(thrown);
				this.#trouble = error.toDocument();
				if (!this.#mayTryAgain(error, backoff.waits + 1)) throw error;
				await backoff.wait(signal);
			}
		}
	}

	async close(): Promise<void> {
		this.#closed.abort(new RouseError('interrupted', 'the source of chunks was closed'));
		this.#agent.destroy();
	}

	#mayTryAgain(error: RouseError, attempts: number): boolean {
		if (this.#options.retryForever) return !isDamage(error);
		return error.retry === 'transient' && attempts < attemptsOtherwise;
	}

	async *#attempt(path: string, refs: readonly ChunkRef[], signal: AbortSignal): AsyncGenerator<StoredChunk> {
		const response = await this.#post(path, encodeRequest(refs), signal);
		const frames = new FrameReader();
		let done = 0;
		// Leaving early closes the response and with it the connection: the mover sees it and stops reading.
		for await (const part of connectionErrors(response, this.#options.chunkSocket)) {
			frames.push(part);
			for (let stored = frames.next(); stored !== undefined; stored = frames.next()) {
				const ref = refs[done];
				if (ref === undefined) throw new RouseError('protocol', `more than the ${refs.length} chunks asked for`);
				done += 1;
				yield { ref, stored };
			}
		}
		if (done < refs.length)
			throw unreachable(this.#options.chunkSocket, `answer ended after ${done} of ${refs.length} chunks`);
	}

	#post(path: string, body: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
		const socketPath = this.#options.chunkSocket;
		return new Promise((resolve, reject) => {
			const headers = { 'content-type': 'application/octet-stream', 'content-length': body.length };
			const call = request({ socketPath, method: 'POST', path, agent: this.#agent, headers, signal });
			call.once('error', cause => reject(unreachable(socketPath, cause.message, cause)));
			call.once('response', resolve);
			call.end(body);
		});
	}
}

/** Passes a response's bytes on; whatever breaks the connection is `mover_unreachable`. */
async function* connectionErrors(response: IncomingMessage, socketPath: string): AsyncGenerator<Buffer> {
	const parts: AsyncIterator<unknown> = response[Symbol.asyncIterator]();
	try {
		for (;;) {
			const part = await parts.next().catch((cause: unknown) => {
				throw unreachable(socketPath, cause instanceof Error ? cause.message : String(cause), cause);
			});
			if (part.done === true) return;
			if (!Buffer.isBuffer(part.value)) throw new RouseError('protocol', 'an answer that is not bytes');
			yield part.value;
		}
	} finally {
		await parts.return?.();
	}
}

function unreachable(socketPath: string, why: string, cause?: unknown): RouseError {
	return new RouseError('mover_unreachable', `repository mover at ${socketPath}: ${why}`, { cause });
}
