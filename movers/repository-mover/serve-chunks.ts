import type { Socket } from 'node:net';
import type { ChunkRef } from '../../model/chunk.ts';
import { maxRangeBytes, type RangeSource } from '../../repository/chunk-source.ts';
import type { Clock } from '../../system/clock.ts';
import { type Asked, ChunkConnection } from './chunk-connection.ts';
import { MountFirst } from './mount-first.ts';
import { keepAliveMs } from './protocol/wire.ts';
import { type Admission, admitByReferences, type NamedChunks } from './requests.ts';
import { SharedRate } from './shared-rate.ts';

export interface ServedChunks {
	requests: number;
	chunks: number;
	storedBytes: number;
}

export interface ChunkServerOptions {
	clock: Pick<Clock, 'now' | 'delay'>;
	/** Who may ask, and what requests name chunks by; references when it is absent. */
	admit?: Admission;
	/** For those on a network: the mover says so often that it is there (protocol/wire.ts). Absent: it does not. */
	aliveEveryMs?: number;
	/** A connection on which nothing moves for so long while it is answered is ended; absent: it is not. */
	unmovedMs?: number;
	/** What all of them may read together; absent: without a limit. */
	rate?: SharedRate;
}

/** Chunks that are read before requests which go before these are looked for again: 4 MiB of disk at 128 KiB each. */
const pieceChunks = 32;

/** What can wait is sent in pieces of so much where these may take long: those that go before it come between. */
const shortPieceBytes = 256 * 1024;

interface Exchange extends Asked {
	named: NamedChunks;
}

/** Answers requests for chunks (protocol/wire.ts) out of one source: those of guests first, then what they read soon, then copies. */
export class ChunkServer {
	readonly served: ServedChunks = { requests: 0, chunks: 0, storedBytes: 0 };
	readonly #source: () => Promise<RangeSource>;
	readonly #options: ChunkServerOptions;
	readonly #order: MountFirst;
	readonly #rate: SharedRate;
	#migrations = 0;

	/** `source` is asked at each request, so that a repository that could not be opened is tried again. */
	constructor(source: () => Promise<RangeSource>, options: ChunkServerOptions) {
		this.#source = source;
		this.#options = options;
		this.#order = new MountFirst(options.clock);
		this.#rate = options.rate ?? new SharedRate(options.clock);
	}

	get active(): { mount: number; ahead: number; migration: number } {
		const { mounts, aheads } = this.#order;
		return { mount: mounts.count, ahead: aheads.count, migration: this.#migrations };
	}

	/** Answers what is asked on a connection, until that ends. */
	readonly connected = (socket: Socket): void => {
		const { admit = admitByReferences, unmovedMs } = this.#options;
		const options = { admit, idleMs: keepAliveMs, ...(unmovedMs === undefined ? {} : { unmovedMs }) };
		void this.#sayAlive(new ChunkConnection(socket, options, asked => this.#answer(asked)));
	};

	async #answer(asked: Asked): Promise<void> {
		const { request, visitor, signal } = asked;
		const exchange = { ...asked, named: await visitor.named(request.names, signal) };
		this.served.requests += 1;
		if (request.class === 'mount') await this.#mount(exchange);
		else if (request.class === 'ahead') await this.#ahead(exchange);
		else await this.#migration(exchange);
	}

	async #mount(exchange: Exchange): Promise<void> {
		const { named, request, signal } = exchange;
		this.#order.mounts.enter();
		try {
			await this.#stream(exchange, await named(0, request.count, signal));
		} finally {
			this.#order.mounts.leave();
		}
	}

	/**
	 * A piece waits for the limit as a whole, before anything of it is sent: a guest that wants some of it by then is not to wait
	 * for the limit, and knows by the first chunk whether it would (mount-mover/chunk-fetcher.ts).
	 */
	async #ahead(exchange: Exchange): Promise<void> {
		const { named, request, visitor, signal } = exchange;
		for (let at = 0; at < request.count; at += pieceChunks) {
			const refs = await named(at, Math.min(request.count, at + pieceChunks), signal);
			const bytes = refs.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
			await this.#rate.take(visitor.stream, bytes, signal);
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
		const { named, request, signal } = exchange;
		this.#migrations += 1;
		try {
			for (let at = 0; at < request.count; at += pieceChunks) {
				await this.#order.turn('migration', signal);
				const end = Math.min(request.count, at + pieceChunks);
				const between = this.#order.turnsWithin('migration', signal);
				await this.#stream(exchange, await named(at, end, signal), between);
			}
		} finally {
			this.#migrations -= 1;
		}
	}

	async #stream(exchange: Exchange, refs: readonly ChunkRef[], between?: () => Promise<void>): Promise<void> {
		const { request, visitor, signal, send } = exchange;
		const source = await this.#source();
		const options = { class: request.class, locate: request.locate, signal };
		for await (const { lengths, bytes } of source.ranges(refs, options))
			for (let from = 0, at = 0; from < lengths.length; ) {
				const { to, length } = pieceOf(lengths, from, this.#mostBytes(request.class));
				if (request.class === 'mount') this.#rate.spend(length);
				else if (request.class === 'migration') await this.#rate.take(visitor.stream, length, signal);
				this.served.chunks += to - from;
				this.served.storedBytes += length;
				await send(lengths, from, to, bytes.subarray(at, at + length));
				await between?.();
				[from, at] = [to, at + length];
			}
	}

	#mostBytes(of: Asked['request']['class']): number {
		const mayTakeLong = this.#options.aliveEveryMs !== undefined || this.#rate.rate > 0;
		return of !== 'mount' && mayTakeLong ? shortPieceBytes : maxRangeBytes;
	}

	async #sayAlive(connection: ChunkConnection): Promise<void> {
		const { clock, aliveEveryMs } = this.#options;
		if (aliveEveryMs === undefined) return;
		for (;;) {
			await clock.delay(aliveEveryMs, connection.signal).catch(() => {}); // only ever aborted
			if (connection.signal.aborted) return;
			connection.sayAlive();
		}
	}
}

/** The chunks from `from` on that have so many bytes at most, and one in any case. */
function pieceOf(lengths: readonly number[], from: number, mostBytes: number): { to: number; length: number } {
	let length = lengths[from] ?? 0;
	let to = from + 1;
	for (; to < lengths.length && length + (lengths[to] ?? 0) <= mostBytes; to += 1) length += lengths[to] ?? 0;
	return { to, length };
}
