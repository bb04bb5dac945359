import type { IncomingMessage } from 'node:http';
import { RouseError } from '../../model/errors.ts';
import type { ChunkClass, ChunkSource, PlacedRef, StoredChunk } from '../../repository/chunk-source.ts';
import type { MoverConnections } from './connections.ts';
import { FrameReader, maxReferences } from './wire.ts';

/**
 * Chunks from a repository mover, over connections that are kept. Throws `mover_unreachable` for a mover that is not
 * there or dies in the middle of an answer, what the mover says (`chunk_missing`, `chunk_bad`, `store_unreachable`,
 * `access_denied`), and the signal's reason.
 */
export class RepositoryMoverClient implements ChunkSource {
	readonly #connections: MoverConnections;

	/** Which it closes at its own end. */
	constructor(connections: MoverConnections) {
		this.#connections = connections;
	}

	async *fetch(
		refs: readonly PlacedRef[],
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
		this.#connections.close();
	}

	async *#request(
		path: string,
		refs: readonly PlacedRef[],
		signal: AbortSignal | undefined,
	): AsyncGenerator<StoredChunk> {
		const response = await this.#post(path, this.#connections.encode(refs), signal);
		const frames = new FrameReader();
		let done = 0;
		// Leaving early closes the response and with it the connection: the mover sees it and stops reading.
		for await (const part of this.#bytesOf(response)) {
			frames.push(part);
			for (let stored = frames.next(); stored !== undefined; stored = frames.next()) {
				const ref = refs[done];
				if (ref === undefined) throw new RouseError('protocol', `more than the ${refs.length} chunks asked for`);
				done += 1;
				yield { ref, stored };
			}
		}
		if (done < refs.length) throw this.#unreachable(`answer ended after ${done} of ${refs.length} chunks`);
	}

	#post(path: string, body: Buffer, signal: AbortSignal | undefined): Promise<IncomingMessage> {
		const connections = this.#connections;
		const about = { 'content-type': 'application/octet-stream', 'content-length': body.length };
		const headers = { ...connections.headers, ...about };
		const call = connections.request({ method: 'POST', path, headers, signal });
		const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
		call.on('error', cause => reject(this.#unreachable(cause.message, cause)));
		call.once('response', resolve);
		call.end(body);
		return connections.heard(call, promise);
	}

	/** Passes a response's bytes on; whatever breaks the connection is `mover_unreachable`. */
	async *#bytesOf(response: IncomingMessage): AsyncGenerator<Buffer> {
		const parts: AsyncIterator<unknown> = response[Symbol.asyncIterator]();
		try {
			for (;;) {
				// Silence counts only while bytes are waited for: who takes none for a while hears none.
				const part = await this.#connections.heard(response, parts.next()).catch((cause: unknown) => {
					throw this.#unreachable(cause instanceof Error ? cause.message : String(cause), cause);
				});
				if (part.done === true) return;
				if (!Buffer.isBuffer(part.value)) throw new RouseError('protocol', 'an answer that is not bytes');
				yield part.value;
			}
		} finally {
			await parts.return?.();
		}
	}

	#unreachable(why: string, cause?: unknown): RouseError {
		return new RouseError('mover_unreachable', `repository mover at ${this.#connections.at}: ${why}`, { cause });
	}
}
