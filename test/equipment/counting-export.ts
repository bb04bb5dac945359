import type { ReadNow } from '../../nbd/server/export.ts';
import { MemoryExport } from './memory-export.ts';

/** Counts what is read of it at once. */
export class CountingExport extends MemoryExport {
	readBytes = 0;

	override readNow(into: Buffer, at: number, offset: number, length: number): ReadNow {
		this.readBytes += length;
		return super.readNow(into, at, offset, length);
	}
}
