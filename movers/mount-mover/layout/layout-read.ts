import type { RouseError } from '../../../model/errors.ts';
import { NBD_ERROR } from '../../../nbd/protocol/constants.ts';
import { copyBytes, type NbdFailure, type Pending } from '../../../nbd/server/export.ts';
import type { Part } from './segments.ts';

type Done = (result: Buffer | NbdFailure) => void;

/** A read over several segments, or of a file that is slow: done when the last part is in the buffer. */
export class LayoutRead implements Pending {
	readonly #name: string;
	readonly #buffer: Buffer;
	readonly #done: Done;
	/** Parts that are not in the buffer yet, and one for `start` itself. */
	#open = 1;
	#over = false;
	readonly #ofDisks: Pending[] = [];

	constructor(name: string, length: number, done: Done) {
		this.#name = name;
		this.#buffer = Buffer.allocUnsafeSlow(length);
		this.#done = done;
	}

	start(parts: readonly Part[]): this {
		for (const part of parts) {
			if (this.#over) break;
			this.#open += 1;
			this.#part(part);
		}
		this.#partDone();
		return this;
	}

	/** Reads of files go on into a buffer that nobody looks at any more. */
	cancel(): void {
		this.#over = true;
		for (const pending of this.#ofDisks) pending.cancel();
	}

	#part({ segment, at, from, length }: Part): void {
		switch (segment.kind) {
			case 'bytes':
				segment.bytes.copy(this.#buffer, at, from, from + length);
				this.#partDone();
				break;
			case 'zeroes':
				this.#buffer.fill(0, at, at + length);
				this.#partDone();
				break;
			case 'file':
				segment.file.readLater(this.#buffer, at, { offset: segment.offsetBytes + from, length }, error => {
					if (error) this.#failWith(ioFailure(this.#name, error));
					else this.#partDone();
				});
				break;
			case 'disk': {
				const pending = segment.disk.readLater(segment.offsetBytes + from, length, (result, free) => {
					if ('errno' in result) this.#failWith(result);
					else {
						copyBytes(result, this.#buffer, at);
						free?.();
						this.#partDone();
					}
				});
				this.#ofDisks.push(pending);
			}
		}
	}

	#partDone(): void {
		this.#open -= 1;
		if (this.#over || this.#open > 0) return;
		this.#over = true;
		this.#done(this.#buffer);
	}

	#failWith(failure: NbdFailure): void {
		if (this.#over) return;
		this.cancel();
		this.#done(failure);
	}
}

export function ioFailure(name: string, error: RouseError): NbdFailure {
	const errno = error.code === 'space_short' ? NBD_ERROR.ENOSPC : NBD_ERROR.EIO;
	return { errno, message: `${name}: ${error.message}` };
}
