import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ChunkRef } from '../../model/chunk.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { type ChunkClass, type ChunkSource } from '../../repository/chunk-source.ts';
import { chunkRefBytes } from '../../repository/format/reference.ts';
import type { Clock } from '../../system/clock.ts';
import { readBody } from '../../system/request-body.ts';
import { MountFirst } from './mount-first.ts';
import { decodeRequest, encodeChunkFrame, encodeErrorFrame, maxReferences } from './wire.ts';

export interface ServedChunks {
	requests: number;
	chunks: number;
	storedBytes: number;
}

/** Chunks of a migration that are read before mount requests are looked for again: 4 MiB of disk at 128 KiB each. */
const migrationPiece = 32;

/** Answers requests for chunks (wire.ts) out of one source, mount requests first. */
export class ChunkServer {
	readonly served: ServedChunks = { requests: 0, chunks: 0, storedBytes: 0 };
	readonly #source: () => Promise<ChunkSource>;
	readonly #order: MountFirst;
	#migrations = 0;

	/** `source` is asked at each request, so that a repository that could not be opened is tried again. */
	constructor(source: () => Promise<ChunkSource>, clock: Pick<Clock, 'delay'>) {
		this.#source = source;
		this.#order = new MountFirst(clock);
	}

	get active(): { mount: number; migration: number } {
		return { mount: this.#order.activeMounts, migration: this.#migrations };
	}

	readonly listener: RequestListener = (incoming, outgoing) => {
		void this.#answer(incoming, outgoing);
	};

	async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
		const gone = new AbortController();
		outgoing.once('close', () => gone.abort());
		outgoing.once('error', () => gone.abort());
		try {
			const request = await readRequest(incoming);
			this.served.requests += 1;
			outgoing.writeHead(200, { 'content-type': 'application/octet-stream' });
			if (request.class === 'mount') await this.#mount(request, outgoing, gone.signal);
			else await this.#migration(request, outgoing, gone.signal);
			outgoing.end();
		} catch (error) {
			if (gone.signal.aborted) return; // nobody is left to be told
			outgoing.end(encodeErrorFrame(asRouseError(error).toDocument()));
		}
	}

	async #mount(request: ChunkRequest, outgoing: ServerResponse, signal: AbortSignal): Promise<void> {
		this.#order.enterMount();
		try {
			await this.#stream(request, request.refs, outgoing, signal);
		} finally {
			this.#order.leaveMount();
		}
	}

	async #migration(request: ChunkRequest, outgoing: ServerResponse, signal: AbortSignal): Promise<void> {
		this.#migrations += 1;
		try {
			for (let at = 0; at < request.refs.length; at += migrationPiece) {
				await this.#order.migrationTurn(signal);
				await this.#stream(request, request.refs.slice(at, at + migrationPiece), outgoing, signal);
			}
		} finally {
			this.#migrations -= 1;
		}
	}

	async #stream(
		request: ChunkRequest,
		refs: readonly ChunkRef[],
		outgoing: ServerResponse,
		signal: AbortSignal,
	): Promise<void> {
		const source = await this.#source();
		const { class: chunkClass, locate } = request;
		for await (const { stored } of source.fetch(refs, { class: chunkClass, locate, signal })) {
			this.served.chunks += 1;
			this.served.storedBytes += stored.length;
			if (!outgoing.write(encodeChunkFrame(stored))) await once(outgoing, 'drain', { signal });
		}
	}
}

interface ChunkRequest {
	class: ChunkClass;
	locate: boolean;
	refs: ChunkRef[];
}

async function readRequest(incoming: IncomingMessage): Promise<ChunkRequest> {
	const url = new URL(incoming.url ?? '/', 'http://local');
	const chunkClass = url.searchParams.get('class');
	if (incoming.method !== 'POST' || url.pathname !== '/chunks')
		throw new RouseError('protocol', `${incoming.method} ${url.pathname}: only POST /chunks is answered here`);
	if (chunkClass !== 'mount' && chunkClass !== 'migration')
		throw new RouseError('protocol', `class is ${chunkClass}, not mount or migration`);
	return {
		class: chunkClass,
		locate: url.searchParams.get('locate') === '1',
		refs: decodeRequest(await readBody(incoming, maxReferences * chunkRefBytes)),
	};
}
