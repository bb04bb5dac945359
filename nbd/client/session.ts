import { encodeRequest } from '../protocol/codec.ts';
import { NBD_CMD } from '../protocol/constants.ts';
import { ByteFeed, type Parser } from './byte-feed.ts';
import { Arrived, type Call, Calls, type Refusal, type StatusExtent } from './calls.ts';
import { handshake } from './handshake.ts';
import type { Negotiated, Wanted } from './options.ts';
import { receiveReplies } from './replies.ts';

/**
 * One conversation with an NBD server, without the socket: `push` what it says, `send` is called with what to tell it.
 * After a violation, or `fail`, every call made and to come fails with that error.
 */
export class NbdClientSession {
	/** Settled by the end of the handshake. */
	readonly opened: Promise<Negotiated>;
	readonly #send: (bytes: Uint8Array) => void;
	readonly #calls = new Calls();
	readonly #feed: ByteFeed<never>;
	readonly #opening = Promise.withResolvers<Negotiated>();
	#dead: { error: unknown } | undefined;

	constructor(wanted: Wanted, send: (bytes: Uint8Array) => void) {
		this.#send = send;
		this.opened = this.#opening.promise;
		this.opened.catch(() => {}); // whoever awaits it hears of it; that nobody does is no crash
		this.#feed = new ByteFeed(this.#conversation(wanted));
	}

	/** The error this session ended with. */
	get dead(): { error: unknown } | undefined {
		return this.#dead;
	}

	push(bytes: Buffer): void {
		if (this.#dead) return;
		try {
			this.#feed.push(bytes);
		} catch (error) {
			this.fail(error);
		}
	}

	/** Ends it: a lost connection, a closed one. The first error is the one that counts. */
	fail(error: unknown): void {
		if (this.#dead) return;
		this.#dead = { error };
		this.#opening.reject(error);
		this.#calls.failAll(error);
	}

	/** Fills `into` from `offsetBytes` on; resolves with the server's refusal when it has one. `flags`: NBD_CMD_FLAG. */
	async read(offsetBytes: number, into: Uint8Array, flags = 0): Promise<Refusal | undefined> {
		const { promise, resolve, reject } = Promise.withResolvers<Refusal | undefined>();
		const arrived = new Arrived();
		const call: Call = { kind: 'read', offsetBytes, into, arrived, refusal: undefined, settle: resolve, fail: reject };
		this.#ask(NBD_CMD.READ, call, offsetBytes, into.length, flags);
		return await promise;
	}

	/** Extents from `offsetBytes` on; a server may describe less than was asked for, and a little more. */
	async blockStatus(offsetBytes: number, lengthBytes: number): Promise<StatusExtent[] | Refusal> {
		const { promise, resolve, reject } = Promise.withResolvers<Refusal | undefined>();
		const extents: StatusExtent[] = [];
		const call: Call = { kind: 'status', extents, refusal: undefined, settle: resolve, fail: reject };
		this.#ask(NBD_CMD.BLOCK_STATUS, call, offsetBytes, lengthBytes);
		return (await promise) ?? extents;
	}

	disconnect(): void {
		if (!this.#dead) this.#send(encodeRequest(NBD_CMD.DISC, 0n, 0, 0));
	}

	#ask(type: number, call: Call, offsetBytes: number, lengthBytes: number, flags = 0): void {
		if (this.#dead) throw this.#dead.error;
		this.#send(encodeRequest(type, this.#calls.add(call), offsetBytes, lengthBytes, flags));
	}

	*#conversation(wanted: Wanted): Parser<never> {
		const agreed = yield* handshake(wanted, this.#send);
		this.#opening.resolve(agreed);
		return yield* receiveReplies(this.#calls, agreed);
	}
}
