import { encodeOptionReply } from '../protocol/codec.ts';
import {
	NBD_FLAG_FIXED_NEWSTYLE,
	NBD_FLAG_NO_ZEROES,
	NBD_OPT,
	NBD_REP,
	optionMagic,
	sizes,
} from '../protocol/constants.ts';
import { optionName } from '../protocol/names.ts';
import type { NbdExport, NbdExports } from './export.ts';
import { MalformedOption } from './option-reader.ts';
import { type Negotiation, type OptionCall, optionHandlers } from './options.ts';
import type { ReplyBuffer } from './reply-buffer.ts';

/** More data than any option here can need is thrown away unread, and answered with NBD_REP_ERR_TOO_BIG. */
const maxOptionBytes = 64 * 1024;

/**
 * "Fixed newstyle negotiation": the client's flags, then options until one chooses an export (`chosen`) or the client
 * gives up (`over`).
 */
export class Handshake {
	readonly negotiation: Negotiation = {
		noZeroes: false,
		structuredReplies: false,
		contexts: undefined,
		maximumAdvertised: false,
	};
	readonly #exports: NbdExports;
	readonly #replies: ReplyBuffer;
	#flagsSeen = false;
	#skipBytes = 0;
	#over = false;
	#chosen: NbdExport | undefined;

	constructor(exports: NbdExports, replies: ReplyBuffer) {
		this.#exports = exports;
		this.#replies = replies;
	}

	get over(): boolean {
		return this.#over;
	}

	get chosen(): NbdExport | undefined {
		return this.#chosen;
	}

	/** Takes whole messages from `input` at `from`; returns the position after the last one taken. */
	consume(input: Buffer, from: number): number {
		let at = from;
		while (!this.#over && this.#chosen === undefined) {
			const next = this.#flagsSeen ? this.#option(input, at) : this.#clientFlags(input, at);
			if (next === at) return at;
			at = next;
		}
		return at;
	}

	#clientFlags(input: Buffer, at: number): number {
		if (input.length - at < sizes.clientFlags) return at;
		const flags = input.readUInt32BE(at);
		// "the server MUST drop the TCP connection if the client sets an unknown flag"
		if ((flags & ~(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES)) !== 0) this.#over = true;
		this.negotiation.noZeroes = (flags & NBD_FLAG_NO_ZEROES) !== 0;
		this.#flagsSeen = true;
		return at + sizes.clientFlags;
	}

	#option(input: Buffer, at: number): number {
		if (this.#skipBytes > 0) {
			const skipped = Math.min(this.#skipBytes, input.length - at);
			this.#skipBytes -= skipped;
			return at + skipped;
		}
		if (input.length - at < sizes.optionHeader) return at;
		if (input.readBigUInt64BE(at) !== optionMagic) {
			this.#over = true;
			return input.length;
		}
		const option = input.readUInt32BE(at + 8);
		const length = input.readUInt32BE(at + 12);
		const dataAt = at + sizes.optionHeader;
		if (length > maxOptionBytes) {
			this.#skipBytes = length;
			if (option === NBD_OPT.EXPORT_NAME) this.#over = true;
			else
				this.#reply(option, NBD_REP.ERR_TOO_BIG, `${optionName(option)}: ${length} bytes, at most ${maxOptionBytes}`);
			return dataAt;
		}
		if (input.length - dataAt < length) return at;
		this.#handle(option, input.subarray(dataAt, dataAt + length));
		return dataAt + length;
	}

	#handle(option: number, data: Buffer): void {
		const handler = optionHandlers.get(option);
		if (handler === undefined) {
			this.#reply(option, NBD_REP.ERR_UNSUP, `${optionName(option)} is not supported`);
			return;
		}
		try {
			handler(this.#call(option, data));
		} catch (error) {
			if (!(error instanceof MalformedOption)) throw error;
			this.#reply(option, NBD_REP.ERR_INVALID, `${optionName(option)}: ${error.message}`);
		}
	}

	#call(option: number, data: Buffer): OptionCall {
		return {
			option,
			data,
			negotiation: this.negotiation,
			exports: this.#exports,
			reply: (type, payload = '') => this.#reply(option, type, payload),
			write: bytes => this.#replies.append(bytes),
			transmit: chosen => {
				this.#chosen = chosen;
			},
			end: () => {
				this.#over = true;
			},
		};
	}

	#reply(option: number, type: number, payload: Buffer | string): void {
		this.#replies.append(encodeOptionReply(option, type, Buffer.from(payload)));
	}
}
