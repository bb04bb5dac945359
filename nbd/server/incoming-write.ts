import type { Cookie } from './replies.ts';

/** A write whose payload comes in pieces. It is bounded by the largest payload, and there is one a connection. */
export class IncomingWrite {
	readonly offset: number;
	/** NBD_CMD_FLAG_FUA */
	readonly durable: boolean;
	readonly cookie: Cookie;
	readonly payload: Buffer;
	#filled = 0;

	constructor({ offset, length, durable }: { offset: number; length: number; durable: boolean }, cookie: Cookie) {
		this.offset = offset;
		this.durable = durable;
		this.cookie = cookie;
		this.payload = Buffer.allocUnsafeSlow(length);
	}

	get complete(): boolean {
		return this.#filled === this.payload.length;
	}

	/** Takes what of the payload is in `input` at `at`; returns how many bytes that were. */
	take(input: Buffer, at: number): number {
		const taken = input.copy(this.payload, this.#filled, at);
		this.#filled += taken;
		return taken;
	}
}
