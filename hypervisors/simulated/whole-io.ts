import { readSync, writeSync } from 'node:fs';
import { RouseError } from '../../model/errors.ts';

/** Fills `into`; `io_failed` when the file ends before. */
export function readWhole(fd: number, position: number, into: Buffer): void {
	for (let done = 0; done < into.length; ) {
		const count = readSync(fd, into, done, into.length - done, position + done);
		if (count === 0) throw new RouseError('io_failed', `a file ends at ${position + done}, and more of it is needed`);
		done += count;
	}
}

export function writeWhole(fd: number, bytes: Buffer, position: number): void {
	for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
