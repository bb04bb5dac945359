import { NBD_CMD, NBD_CMD_FLAG, NBD_ERROR, requestMagic, sizes } from '../protocol/constants.ts';
import { checkRequest, type NbdRequest, type RequestRules } from './check-request.ts';
import { copyBytes, type NbdBytes, type NbdExport, type NbdFailure, type NbdWriter, type Pending } from './export.ts';
import { IncomingWrite } from './incoming-write.ts';
import { LargeReads, pieceBytes } from './large-reads.ts';
import {
	addBlockStatus,
	addDone,
	addFailure,
	addHole,
	type Cookie,
	writeDataHeader,
	writeSimpleHeader,
} from './replies.ts';
import type { ReplyBuffer } from './reply-buffer.ts';

/** What is no longer goes into a slab with its header: a part of a write costs more than a copy of so much. */
const copiedBytes = 32 * 1024;

/** Where a session stops taking requests until replies have left: bounds the memory of a connection. */
const outputLimitBytes = 1024 * 1024;
const underWayLimitBytes = 64 * 1024 * 1024;
const underWayLimit = 4096;

export interface SelectedContext {
	id: number;
	context: string;
}

export interface Negotiated {
	export: NbdExport;
	structuredReplies: boolean;
	contexts: readonly SelectedContext[];
	maximumAdvertised: boolean;
}

/**
 * The transmission phase: takes requests, answers at once what can be, the rest when it comes. `replyReady` is called
 * when a reply came that was waited for.
 */
export class Transmission {
	readonly #export: NbdExport;
	readonly #structured: boolean;
	readonly #contexts: readonly SelectedContext[];
	readonly #rules: RequestRules;
	readonly #replies: ReplyBuffer;
	readonly #replyReady: () => void;
	/** Requests that wait, and the bytes they asked for. */
	readonly #waiting = new Set<Pending>();
	#waitingBytes = 0;
	readonly #large: LargeReads;
	/** Payload of a refused write, still to be thrown away. */
	#skipBytes = 0;
	/** A write whose payload is still coming. */
	#incoming: IncomingWrite | undefined;
	#disconnecting = false;
	#broken = false;
	// One object for all requests: nothing is allocated for a read that is answered at once.
	readonly #request: NbdRequest = { type: 0, flags: 0, offset: 0, length: 0 };

	constructor(negotiated: Negotiated, replies: ReplyBuffer, replyReady: () => void) {
		this.#export = negotiated.export;
		this.#structured = negotiated.structuredReplies;
		this.#contexts = negotiated.contexts;
		this.#rules = {
			sizeBytes: negotiated.export.sizeBytes,
			structuredReplies: negotiated.structuredReplies,
			contextsSelected: negotiated.contexts.length > 0,
			maximumAdvertised: negotiated.maximumAdvertised,
			writable: negotiated.export.writer !== undefined,
		};
		this.#replies = replies;
		this.#replyReady = replyReady;
		this.#large = new LargeReads(negotiated.export, replies, (offset, length, cookie) =>
			this.#readLater(offset, length, cookie),
		);
	}

	/** No further request is taken before replies have left or come. */
	get full(): boolean {
		return (
			this.#replies.byteLength >= outputLimitBytes ||
			this.#waitingBytes + this.#large.bytes >= underWayLimitBytes ||
			this.#waiting.size + this.#large.count >= underWayLimit
		);
	}

	/** There is a read that is answered by `nextPiece`. */
	get hasPieces(): boolean {
		return this.#large.count > 0;
	}

	/** The client broke the protocol, or said good-bye and has all its replies. */
	get over(): boolean {
		return this.#broken || (this.#disconnecting && this.#waiting.size === 0 && !this.hasPieces);
	}

	/** Takes whole requests from `input` at `at`; returns the position after the last one taken. */
	consume(input: Buffer, from: number): number {
		let at = from;
		while (!this.#broken && !this.#disconnecting) {
			if (this.#skipBytes > 0) {
				const skipped = Math.min(this.#skipBytes, input.length - at);
				this.#skipBytes -= skipped;
				at += skipped;
			}
			if (this.#incoming !== undefined) {
				at += this.#incoming.take(input, at);
				if (!this.#incoming.complete) return at;
				this.#write(this.#incoming);
				this.#incoming = undefined;
			}
			if (input.length - at < sizes.request || this.full) return at;
			if (input.readUInt32BE(at) !== requestMagic) {
				this.#broken = true; // Where the next request begins cannot be known any more.
				return input.length;
			}
			this.#take(input, at);
			at += sizes.request;
		}
		return input.length;
	}

	/** Answers some more of a large read. */
	nextPiece(): void {
		this.#large.next();
	}

	/** Calls off what waits; nothing is replied any more. */
	close(): void {
		this.#broken = true;
		for (const pending of this.#waiting) pending.cancel();
		this.#waiting.clear();
	}

	#take(input: Buffer, at: number): void {
		const request = this.#request;
		request.flags = input.readUInt16BE(at + 4);
		request.type = input.readUInt16BE(at + 6);
		request.offset = input.readUInt32BE(at + 16) * 2 ** 32 + input.readUInt32BE(at + 20);
		request.length = input.readUInt32BE(at + 24);
		const cookie = { high: input.readUInt32BE(at + 8), low: input.readUInt32BE(at + 12) };
		if (request.type === NBD_CMD.DISC) {
			this.#disconnecting = true;
			return;
		}
		const refusal = checkRequest(request, this.#rules);
		if (refusal === undefined) this.#perform(request, cookie);
		else {
			if (request.type === NBD_CMD.WRITE) this.#skipBytes = request.length;
			this.#fail(cookie, refusal, request);
		}
	}

	#perform({ type, flags, offset, length }: NbdRequest, cookie: Cookie): void {
		if (type === NBD_CMD.READ) this.#read({ offset, length, whole: (flags & NBD_CMD_FLAG.DF) !== 0 }, cookie);
		else if (type === NBD_CMD.WRITE)
			this.#incoming = new IncomingWrite({ offset, length, durable: (flags & NBD_CMD_FLAG.FUA) !== 0 }, cookie);
		else if (type === NBD_CMD.FLUSH && this.#rules.writable)
			this.#change({ offset, length }, cookie, (writer, done) => writer.flush(done));
		else if (type === NBD_CMD.BLOCK_STATUS)
			this.#status({ offset, length, single: (flags & NBD_CMD_FLAG.REQ_ONE) !== 0 }, cookie);
		else {
			// FLUSH has nothing to flush where nothing is written; CACHE is answered before anything is cached.
			if (type === NBD_CMD.CACHE) this.#export.willNeed(offset, length);
			addDone(this.#replies, cookie, this.#structured);
		}
	}

	/**
	 * Whatever may not be cut (a simple reply, or NBD_CMD_FLAG_DF) is read to its end before its header is written: an error
	 * behind that could only be told by ending the connection ("NBD_CMD_READ"), and with it all other reads.
	 */
	#read({ offset, length, whole }: { offset: number; length: number; whole: boolean }, cookie: Cookie): void {
		if (length > pieceBytes) {
			if (this.#structured && !whole) this.#large.add(offset, length, cookie);
			else this.#readLater(offset, length, cookie);
			return;
		}
		const replies = this.#replies;
		const header = this.#structured ? sizes.offsetData : sizes.simpleReply;
		const at = replies.reserve(header + length);
		const result = this.#export.readNow(replies.slab, at + header, offset, length);
		if (result === 'later') this.#readLater(offset, length, cookie);
		else if (result === 'zeroes' && this.#structured) addHole(replies, cookie, { offset, length, last: true });
		else {
			this.#writeReadHeader(replies.slab, at, cookie, offset, length);
			replies.commit(header + length);
		}
	}

	#readLater(offset: number, length: number, cookie: Cookie): void {
		this.#wait(length, done =>
			this.#export.readLater(offset, length, (result, free) => {
				done();
				if ('errno' in result) addFailure(this.#replies, cookie, this.#structured, result);
				else this.#addBytes(cookie, { offset, length }, result, free);
				this.#replyReady();
			}),
		);
	}

	#addBytes(
		cookie: Cookie,
		{ offset, length }: { offset: number; length: number },
		bytes: NbdBytes,
		free: (() => void) | undefined,
	): void {
		const replies = this.#replies;
		const header = this.#structured ? sizes.offsetData : sizes.simpleReply;
		const isCopied = length <= copiedBytes;
		const at = replies.reserve(isCopied ? header + length : header);
		this.#writeReadHeader(replies.slab, at, cookie, offset, length);
		replies.commit(header);
		if (!isCopied) {
			replies.append(bytes, free);
			return;
		}
		copyBytes(bytes, replies.slab, at + header);
		replies.commit(length);
		free?.();
	}

	#status(range: { offset: number; length: number; single: boolean }, cookie: Cookie): void {
		const contexts = this.#contexts.map(({ context }) => context);
		this.#wait(0, done =>
			this.#export.blockStatus(contexts, range, result => {
				done();
				if (Array.isArray(result)) {
					const status = this.#contexts.map(({ id }, index) => ({ contextId: id, extents: result[index] ?? [] }));
					addBlockStatus(this.#replies, cookie, status);
				} else addFailure(this.#replies, cookie, this.#structured, result);
				this.#replyReady();
			}),
		);
	}

	#write({ offset, payload, durable, cookie }: IncomingWrite): void {
		this.#change({ offset, length: payload.length }, cookie, (writer, done) =>
			writer.write(offset, payload, durable, done),
		);
	}

	/** What changes storage is not called off: when the client is gone only its reply is left out. */
	#change(
		range: { offset: number; length: number },
		cookie: Cookie,
		begin: (writer: NbdWriter, done: (failure?: NbdFailure) => void) => void,
	): void {
		const { writer } = this.#export;
		if (writer === undefined) return; // `checkRequest` lets no write come here
		this.#wait(range.length, done => {
			begin(writer, failure => {
				done();
				if (failure) this.#fail(cookie, failure, range);
				else addDone(this.#replies, cookie, this.#structured);
				if (!this.#broken) this.#replyReady();
			});
			return { cancel() {} };
		});
	}

	#fail(cookie: Cookie, failure: NbdFailure, { offset, length }: { offset: number; length: number }): void {
		addFailure(this.#replies, cookie, this.#structured, failure);
		if (failure.errno === NBD_ERROR.EPERM) this.#export.writeRefused?.(offset, length);
	}

	/** Counts a request as waiting until its `done`, which may come before `begin` returns. */
	#wait(bytes: number, begin: (done: () => void) => Pending): void {
		let pending: Pending | undefined;
		let ended = false;
		this.#waitingBytes += bytes;
		pending = begin(() => {
			ended = true;
			this.#waitingBytes -= bytes;
			if (pending) this.#waiting.delete(pending);
		});
		if (!ended) this.#waiting.add(pending);
	}

	#writeReadHeader(into: Buffer, at: number, cookie: Cookie, offset: number, length: number): void {
		if (this.#structured) writeDataHeader(into, at, cookie, { offset, length, last: true });
		else writeSimpleHeader(into, at, cookie, 0);
	}
}
