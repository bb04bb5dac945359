import { initMagic, NBD_FLAG_FIXED_NEWSTYLE, NBD_FLAG_NO_ZEROES, optionMagic, sizes } from '../protocol/constants.ts';
import type { NbdExports } from './export.ts';
import { Handshake } from './handshake.ts';
import { ReplyBuffer } from './reply-buffer.ts';
import { Transmission } from './transmission.ts';

const nothing = Buffer.alloc(0);

/**
 * The server's side of one connection, without the connection: bytes go in by `push`, replies are taken from `replies`.
 * Whatever bytes are pushed, and however they are cut, nothing is thrown; a client that breaks the protocol finds the
 * session `over`.
 */
export class NbdServerSession {
	readonly replies = new ReplyBuffer();
	readonly #handshake: Handshake;
	readonly #replyReady: () => void;
	#transmission: Transmission | undefined;
	/** Input that is not a whole message yet, or that waits because the session is full. */
	#rest: Buffer = nothing;
	#closed = false;

	/** `replyReady` is called whenever a reply came that was waited for, also in the middle of `push`. */
	constructor(exports: NbdExports, replyReady: () => void) {
		this.#handshake = new Handshake(exports, this.replies);
		this.#replyReady = replyReady;
		this.replies.append(greeting());
	}

	/** Nothing more is to be read; what `replies` still holds is the last. */
	get over(): boolean {
		return this.#closed || this.#handshake.over || this.#transmission?.over === true;
	}

	/** Takes no request until replies were taken or have come. */
	get full(): boolean {
		return this.#transmission?.full === true;
	}

	/** Input is held back that can go on by `push` of nothing once the session is not full any more. */
	get holdsInput(): boolean {
		return this.#rest.length > 0;
	}

	/** Replies of which `nextPiece` makes some more. */
	get hasPieces(): boolean {
		return !this.#closed && this.#transmission?.hasPieces === true;
	}

	/** Call it when what was replied before has left, or soon will have. */
	nextPiece(): void {
		this.#transmission?.nextPiece();
	}

	push(bytes: Buffer = nothing): void {
		if (this.over) return;
		const input = this.#inputWith(bytes);
		let at = 0;
		if (this.#transmission === undefined) {
			at = this.#handshake.consume(input, at);
			if (this.#handshake.chosen !== undefined) this.#transmission = this.#enterTransmission();
		}
		if (this.#transmission !== undefined) at = this.#transmission.consume(input, at);
		this.#rest = at === input.length ? nothing : input.subarray(at);
	}

	/** The client is gone: what waits is called off. */
	close(): void {
		this.#closed = true;
		this.#rest = nothing;
		this.#transmission?.close();
	}

	#inputWith(bytes: Buffer): Buffer {
		if (this.#rest.length === 0) return bytes;
		return bytes.length === 0 ? this.#rest : Buffer.concat([this.#rest, bytes]);
	}

	#enterTransmission(): Transmission | undefined {
		const { chosen, negotiation } = this.#handshake;
		if (chosen === undefined) return undefined;
		const { contexts, structuredReplies, maximumAdvertised } = negotiation;
		const forThis = contexts?.export === chosen ? contexts.selected : [];
		const negotiated = { export: chosen, structuredReplies, maximumAdvertised, contexts: forThis };
		return new Transmission(negotiated, this.replies, this.#replyReady);
	}
}

/** "Newstyle negotiation": what the server says first. */
function greeting(): Buffer {
	const bytes = Buffer.alloc(sizes.greeting);
	bytes.writeBigUInt64BE(initMagic, 0);
	bytes.writeBigUInt64BE(optionMagic, 8);
	bytes.writeUInt16BE(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES, 16);
	return bytes;
}
