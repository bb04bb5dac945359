import { Agent, type IncomingMessage, request } from 'node:http';
import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { ChunkClass, ChunkSource, StoredChunk } from '../../repository/chunk-source.ts';
import { encodeRequest, FrameReader, maxReferences } from './wire.ts';

/**
 * Chunks from a repository mover, over connections that are kept. Throws `mover_unreachable` for a mover that is not
 * there or dies in the middle of an answer, what the mover says (`chunk_missing`, `chunk_bad`, `store_unreachable`), and the
 * signal's reason.
 */
export class RepositoryMoverClient implements ChunkSource {
	/** The repository mover's chunk socket. */
	readonly #socketPath: string;
	readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 16 });

	constructor(chunkSocket: string) {
		this.#socketPath = chunkSocket;
	}

	async *fetch(
		refs: readonly ChunkRef[],
		{ class: urgency, locate, signal }: { class: ChunkClass; locate?: boolean; signal?: AbortSignal | undefined },
	): AsyncGenerator<StoredChunk, void, undefined> {
		const path = `/chunks?class=${urgency}${locate ? '&locate=1' : ''}`;
		try {
			for (let at = 0; at < refs.length; at += maxReferences)
				yield* this.#request(path, refs.slice(at, at + maxReferences), signal);
		} catch (error) {
			signal?.throwIfAborted(); // that broke the connection
			throw error;
		}
	}

	async close(): Promise<void> {
		this.#agent.destroy();
	}

	async *#request(
		path: string,
		refs: readonly ChunkRef[],
		signal: AbortSignal | undefined,
	): AsyncGenerator<StoredChunk> {
		const response = await this.#post(path, encodeRequest(refs), signal);
		const frames = new FrameReader();
		let done = 0;
		// Leaving early closes the response and with it the connection: the mover sees it and stops reading.
		for await (const part of connectionErrors(response, this.#socketPath)) {
			frames.push(part);
			for (let stored = frames.next(); stored !== undefined; stored = frames.next()) {
				const ref = refs[done];
				if (ref === undefined) throw new RouseError('protocol', `more than the ${refs.length} chunks asked for`);
				done += 1;
				yield { ref, stored };
			}
		}
		if (done < refs.length) throw unreachable(this.#socketPath, `answer ended after ${done} of ${refs.length} chunks`);
	}

	#post(path: string, body: Buffer, signal: AbortSignal | undefined): Promise<IncomingMessage> {
		const socketPath = this.#socketPath;
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
