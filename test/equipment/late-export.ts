import type { NbdFailure, Pending } from '../../nbd/server/export.ts';
import { MemoryExport } from './memory-export.ts';

/** An export in memory whose slow bytes come by themselves, a turn of the event loop later. */
export class LateExport extends MemoryExport {
	override readLater(offset: number, length: number, done: (result: Buffer | NbdFailure) => void): Pending {
		const pending = super.readLater(offset, length, done);
		setImmediate(() => {
			if (this.held.length > 0) this.answer();
		});
		return pending;
	}
}
