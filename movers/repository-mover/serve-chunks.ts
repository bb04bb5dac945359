import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ChunkRef } from '../../model/chunk.ts';
import { asRouseError } from '../../model/errors.ts';
import type { ChunkClass, ChunkSource } from '../../repository/chunk-source.ts';
import type { Clock } from '../../system/clock.ts';
import { MountFirst } from './mount-first.ts';
import { type NamedChunks, type NamesReader, readOptions, readReferences } from './requests.ts';
import { SharedRate } from './shared-rate.ts';
import { aliveFrame, encodeChunkFrame, encodeErrorFrame } from './wire.ts';

export interface ServedChunks {
	requests: number;
	chunks: number;
	storedBytes: number;
}

export interface ChunkServerOptions {
	clock: Pick<Clock, 'now' | 'delay'>;
	/** What requests name chunks by; references when it is absent. */
	read?: NamesReader;
	/** Every so often an answer says that the mover is there (wire.ts); absent: it does not. */
	aliveEveryMs?: number;
	/** What all of them may read together; absent: without a limit. */
	rate?: SharedRate;
}

/** Movers keep connections for bursts that may be minutes apart; a closed one costs the next read round trips. */
export const keepAliveMs = 120_000;

/** Chunks that are read before requests which go before these are looked for again: 4 MiB of disk at 128 KiB each. */
const pieceChunks = 32;

interface Exchange {
	options: { class: ChunkClass; locate: boolean };
	named: NamedChunks;
	outgoing: ServerResponse;
	signal: AbortSignal;
}

/** Answers requests for chunks (wire.ts) out of one source: those of guests first, then what they read soon, then copies. */
export class ChunkServer {
	readonly served: ServedChunks = { requests: 0, chunks: 0, storedBytes: 0 };
	readonly #source: () => Promise<ChunkSource>;
	readonly #options: ChunkServerOptions;
	readonly #order: MountFirst;
	readonly #rate: SharedRate;
	#migrations = 0;

	/** `source` is asked at each request, so that a repository that could not be opened is tried again. */
	constructor(source: () => Promise<ChunkSource>, options: ChunkServerOptions) {
		this.#source = source;
		this.#options = options;
		this.#order = new MountFirst(options.clock);
		this.#rate = options.rate ?? new SharedRate(options.clock);
	}

	get active(): { mount: number; ahead: number; migration: number } {
		const { mounts, aheads } = this.#order;
		return { mount: mounts.count, ahead: aheads.count, migration: this.#migrations };
	}

	readonly listener: RequestListener = (incoming, outgoing) => {
		void this.#answer(incoming, outgoing);
	};

	async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
		const gone = new AbortController();
		outgoing.once('close', () => gone.abort());
		outgoing.once('error', () => gone.abort());
		const said = new AbortController();
		try {
			outgoing.writeHead(200, { 'content-type': 'application/octet-stream' });
			const options = readOptions(incoming);
			void this.#sayAlive(outgoing, AbortSignal.any([gone.signal, said.signal]));
			const named = await (this.#options.read ?? readReferences)(incoming, gone.signal);
			this.served.requests += 1;
			const exchange = { options, named, outgoing, signal: gone.signal };
			if (options.class === 'mount') await this.#mount(exchange);
			else if (options.class === 'ahead') await this.#ahead(exchange);
			else await this.#migration(exchange);
			outgoing.end();
		} catch (error) {
			if (gone.signal.aborted) return; // nobody is left to be told
			outgoing.end(encodeErrorFrame(asRouseError(error).toDocument()));
		} finally {
			said.abort();
		}
	}

	async #mount(exchange: Exchange): Promise<void> {
		this.#order.mounts.enter();
		try {
			await this.#stream(exchange, await exchange.named.refs(0, exchange.named.count, exchange.signal));
		} finally {
			this.#order.mounts.leave();
		}
	}

	/**
	 * A piece waits for the limit as a whole, before anything of it is sent: a guest that wants some of it by then is not to wait
	 * for the limit, and knows by the first chunk whether it would (mount-mover/chunk-fetcher.ts).
	 */
	async #ahead(exchange: Exchange): Promise<void> {
		const { named, signal } = exchange;
		for (let at = 0; at < named.count; at += pieceChunks) {
			const refs = await named.refs(at, Math.min(named.count, at + pieceChunks), signal);
			const bytes = refs.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
			await this.#rate.take(named.stream, bytes, signal);
			await this.#order.turn('ahead', signal);
			this.#order.aheads.enter();
			try {
				await this.#stream(exchange, refs, this.#order.turnsWithin('ahead', signal));
			} finally {
				this.#order.aheads.leave();
			}
		}
	}

	async #migration(exchange: Exchange): Promise<void> {
		const { named, signal } = exchange;
		this.#migrations += 1;
		try {
			for (let at = 0; at < named.count; at += pieceChunks) {
				await this.#order.turn('migration', signal);
				const end = Math.min(named.count, at + pieceChunks);
				const between = this.#order.turnsWithin('migration', signal);
				await this.#stream(exchange, await named.refs(at, end, signal), between);
			}
		} finally {
			this.#migrations -= 1;
		}
	}

	async #stream(
		{ options, named, outgoing, signal }: Exchange,
		refs: readonly ChunkRef[],
		between?: () => Promise<void>,
	): Promise<void> {
		const source = await this.#source();
		for await (const { stored } of source.fetch(refs, { ...options, signal })) {
			if (options.class === 'mount') this.#rate.spend(stored.length);
			else if (options.class === 'migration') await this.#rate.take(named.stream, stored.length, signal);
			this.served.chunks += 1;
			this.served.storedBytes += stored.length;
			if (!outgoing.write(encodeChunkFrame(stored))) await once(outgoing, 'drain', { signal });
			await between?.();
		}
	}

	/** Whole frames are written at once, so that this one never comes within another. */
	async #sayAlive(outgoing: ServerResponse, ended: AbortSignal): Promise<void> {
		const { clock, aliveEveryMs } = this.#options;
		if (aliveEveryMs === undefined) return;
		for (;;) {
			await clock.delay(aliveEveryMs, ended).catch(() => {}); // only ever aborted
			if (ended.aborted) return;
			// What is still to be sent says it as well, and a peer that takes nothing needs no more of it.
			if (outgoing.writableLength === 0) outgoing.write(aliveFrame);
		}
	}
}
