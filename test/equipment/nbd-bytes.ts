import type { NbdBytes } from '../../nbd/server/export.ts';

/** What a read gave, in a buffer of its own if it lay in several. */
export function bytesOf(bytes: NbdBytes): Buffer {
	return Buffer.isBuffer(bytes) ? bytes : Buffer.concat(bytes);
}
