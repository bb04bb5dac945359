import { maxStoredBytes } from '../../../model/chunk-bounds.ts';
import { RouseError } from '../../../model/errors.ts';
import { decodeError } from './answers.ts';
import { otherVersion, serverHelloBytes, versionOf } from './hello.ts';
import { Slabs } from './slabs.ts';
import { frameHeadBytes, frameKinds, maxErrorBytes, protocolVersion } from './wire.ts';

/** Chunks of an answer that lie one behind the other. */
export interface Run {
	lengths: readonly number[];
	/** All of them. */
	bytes: Buffer;
}

/**
 * Takes what a mover says apart, in whatever pieces it comes, where it lies: `room` is where the next bytes go, `filled` says how
 * many have come there, `take` gives what they made. An instance is for one connection; `begin` is said before each request.
 */
export class AnswerReader {
	readonly #slabs: Slabs;
	#isGreeted = false;
	/** Chunks of the answer that no frame has announced. */
	#awaited = 0;
	/** Of the frame that is coming. */
	#lengths: number[] = [];
	/** Which of them were given out, and which are whole. */
	#given = 0;
	#whole = 0;
	#wholeBytes = 0;
	/** How many bytes must lie in one piece for the next step. */
	#needed = serverHelloBytes;
	#failure: RouseError | undefined;
	#isBroken = false;

	constructor(slabBytes?: number) {
		this.#slabs = new Slabs(slabBytes);
	}

	/** Nothing that was said or will come can be understood, or is wanted. */
	get isBroken(): boolean {
		return this.#isBroken;
	}

	get room(): Buffer {
		return this.#slabs.room;
	}

	/** An answer of so many chunks comes next. */
	begin(count: number): void {
		this.#awaited = count;
	}

	/** So many bytes have come into `room`. False: no more may come before `wantsMore`. */
	filled(bytes: number): boolean {
		this.#slabs.filled(bytes);
		this.#parse();
		return this.#slabs.prepare(this.#needed, this.#whole > this.#given);
	}

	/** What may come: all that has come is used or cannot be used yet. */
	get wantsMore(): boolean {
		return this.#whole === this.#given;
	}

	/**
	 * The next chunks, and all of them that are whole and lie together; undefined when more has to come. They are valid until the
	 * next call. Throws the error that ended the answer, when all before it were taken; `protocol` for what no honest peer says.
	 */
	take(): Run | undefined {
		this.#slabs.free();
		if (this.#whole > this.#given) {
			const lengths = this.#lengths.slice(this.#given, this.#whole);
			const bytes = this.#slabs.use(this.#wholeBytes);
			this.#given = this.#whole;
			this.#wholeBytes = 0;
			this.#parse();
			return { lengths, bytes };
		}
		const failure = this.#failure;
		if (failure === undefined) return undefined;
		if (!this.#isBroken) {
			this.#failure = undefined;
			this.#parse();
		}
		throw failure;
	}

	#parse(): void {
		while (this.#failure === undefined && this.#step()) continue;
	}

	/** Whether something was made of what has come. */
	#step(): boolean {
		if (!this.#isGreeted) return this.#greeting();
		const length = this.#lengths[this.#whole];
		if (length === undefined) return this.#whole === this.#given && this.#head();
		this.#needed = this.#wholeBytes + length;
		if (this.#slabs.length < this.#needed) return false;
		this.#whole += 1;
		this.#wholeBytes = this.#needed;
		return true;
	}

	#greeting(): boolean {
		const version = versionOf(this.#slabs.peek(Math.min(this.#slabs.length, serverHelloBytes)));
		if (version !== protocolVersion) return this.#break(otherVersion(version));
		if (this.#slabs.length < serverHelloBytes) return false;
		this.#slabs.skip(serverHelloBytes);
		this.#isGreeted = true;
		return true;
	}

	#head(): boolean {
		const slabs = this.#slabs;
		this.#needed = frameHeadBytes;
		if (slabs.length < frameHeadBytes) return false;
		const kind = slabs.u8(0);
		const count = slabs.u16(2);
		if (kind === frameKinds.range && count > 0 && count <= this.#awaited) return this.#range(count);
		if (kind === frameKinds.alive) {
			slabs.skip(frameHeadBytes);
			return true;
		}
		if (kind === frameKinds.error || kind === frameKinds.refusal) return this.#error(kind === frameKinds.refusal);
		return this.#break(
			new RouseError('protocol', `a frame of kind ${kind} with ${count} chunks, ${this.#awaited} of which are awaited`),
		);
	}

	#range(count: number): boolean {
		const slabs = this.#slabs;
		this.#needed = frameHeadBytes + 4 * count;
		if (slabs.length < this.#needed) return false;
		const lengths: number[] = [];
		for (let n = 0; n < count; n += 1) {
			const length = slabs.u32(frameHeadBytes + 4 * n);
			if (length === 0 || length > maxStoredBytes)
				return this.#break(new RouseError('protocol', `a chunk of ${length} bytes, at most ${maxStoredBytes}`));
			lengths.push(length);
		}
		slabs.skip(this.#needed);
		this.#awaited -= count;
		this.#lengths = lengths;
		this.#given = this.#whole = this.#wholeBytes = 0;
		return true;
	}

	#error(isRefusal: boolean): boolean {
		const slabs = this.#slabs;
		if (this.#awaited === 0 && !isRefusal)
			return this.#break(new RouseError('protocol', 'an error where nothing is awaited'));
		this.#needed = frameHeadBytes + 4;
		if (slabs.length < this.#needed) return false;
		const length = slabs.u32(frameHeadBytes);
		if (length > maxErrorBytes)
			return this.#break(new RouseError('protocol', `an error of ${length} bytes, at most ${maxErrorBytes}`));
		this.#needed += length;
		if (slabs.length < this.#needed) return false;
		slabs.skip(frameHeadBytes + 4);
		const error = decodeError(slabs.peek(length));
		slabs.skip(length);
		if (isRefusal) return this.#break(error);
		this.#awaited = 0;
		this.#failure = error;
		return false;
	}

	#break(failure: RouseError): false {
		this.#failure = failure;
		this.#isBroken = true;
		return false;
	}
}
