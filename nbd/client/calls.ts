import { violation } from './violation.ts';

/** What a metadata context says of so many bytes; what the flags mean is the context's own. */
export interface StatusExtent {
	lengthBytes: number;
	flags: number;
}

/** What a server answered instead of what was asked for. */
export interface Refusal {
	errno: number;
	/** The server's own words, often empty. */
	message: string;
}

export interface ReadCall {
	kind: 'read';
	offsetBytes: number;
	into: Uint8Array;
	/** What has arrived: the pieces may come in any order. */
	arrived: Arrived;
	refusal: Refusal | undefined;
	settle: (refusal: Refusal | undefined) => void;
	fail: (error: unknown) => void;
}

export interface StatusCall {
	kind: 'status';
	extents: StatusExtent[];
	refusal: Refusal | undefined;
	settle: (refusal: Refusal | undefined) => void;
	fail: (error: unknown) => void;
}

export type Call = ReadCall | StatusCall;

/** The pieces of a read that are there. A server that sends a byte twice, or never, must not pass unnoticed. */
export class Arrived {
	readonly #pieces: { start: number; end: number }[] = [];
	#bytes = 0;

	get bytes(): number {
		return this.#bytes;
	}

	add(start: number, lengthBytes: number): void {
		const end = start + lengthBytes;
		if (this.#pieces.some(piece => start < piece.end && piece.start < end))
			throw violation(`sent bytes ${start} to ${end} of a read twice`);
		this.#pieces.push({ start, end });
		this.#bytes += lengthBytes;
	}
}

/** The calls that wait for an answer, by cookie. */
export class Calls {
	readonly #waiting = new Map<bigint, Call>();
	#last = 0n;

	add(call: Call): bigint {
		this.#last += 1n;
		this.#waiting.set(this.#last, call);
		return this.#last;
	}

	/** The call a reply is for. */
	of(cookie: bigint): Call {
		const call = this.#waiting.get(cookie);
		if (call === undefined) throw violation(`answered request ${cookie}, which was not asked or is done`);
		return call;
	}

	/** The last word to a call was said. */
	end(cookie: bigint): void {
		const call = this.of(cookie);
		if (call.kind === 'read' && call.refusal === undefined && call.arrived.bytes !== call.into.length)
			throw violation(`sent ${call.arrived.bytes} of ${call.into.length} bytes of a read at ${call.offsetBytes}`);
		this.#waiting.delete(cookie);
		call.settle(call.refusal);
	}

	failAll(error: unknown): void {
		const calls = [...this.#waiting.values()];
		this.#waiting.clear();
		for (const call of calls) call.fail(error);
	}
}
