import { NBD_ERROR } from '../../nbd/protocol/constants.ts';
import type { NbdFailure, NbdWriter } from '../../nbd/server/export.ts';
import { MemoryExport } from './memory-export.ts';

/** An export in memory whose bytes from `writableFrom` on may be written; held calls wait until the test ends them. */
export class WritableMemoryExport extends MemoryExport {
	/** What was asked for, in order. */
	readonly calls: string[] = [];
	/** With it calls are only noted, and end when the test calls what is here. */
	heldWrites: ((failure?: NbdFailure) => void)[] | undefined;
	readonly #writableFrom: number;

	constructor(name: string, bytes: Buffer, writableFrom = 0) {
		super(name, bytes);
		this.#writableFrom = writableFrom;
	}

	readonly writer: NbdWriter = {
		write: (offset, bytes, durable, done) => {
			this.calls.push(`write ${bytes.length} at ${offset}${durable ? ', durable' : ''}`);
			if (offset < this.#writableFrom) {
				done({ errno: NBD_ERROR.EPERM, message: 'not there' });
				return;
			}
			bytes.copy(this.bytes, offset);
			this.#end(done);
		},
		flush: done => {
			this.calls.push('flush');
			this.#end(done);
		},
	};

	#end(done: (failure?: NbdFailure) => void): void {
		if (this.heldWrites) this.heldWrites.push(done);
		else done();
	}
}
