import { RouseError } from '../../model/errors.ts';
import {
	chunkRefBytes,
	decodeChunkRef,
	encodeChunkRef,
	isZeroRef,
	type PageEntry,
	storedBytesOf,
} from './reference.ts';

/** A page of a disk's map: references back to back (docs/format.md, "Page"). Its bytes matched their digest. */
export class Page {
	readonly bytes: Buffer;

	/** `format_damaged` for bytes that are no page: from then on reading an entry cannot fail. */
	constructor(bytes: Buffer) {
		if (bytes.length === 0 || bytes.length % chunkRefBytes !== 0)
			throw new RouseError('format_damaged', `a page of ${bytes.length} bytes, not a multiple of ${chunkRefBytes}`);
		for (let at = 0; at < bytes.length; at += chunkRefBytes) storedBytesOf(bytes, at);
		this.bytes = bytes;
	}

	get entries(): number {
		return this.bytes.length / chunkRefBytes;
	}

	entry(index: number): PageEntry {
		return decodeChunkRef(this.bytes, index * chunkRefBytes);
	}

	/** Cheaper than `entry(index) === 'zero'`. */
	isZero(index: number): boolean {
		return isZeroRef(this.bytes, index * chunkRefBytes);
	}
}

export function encodePage(entries: readonly PageEntry[]): Buffer {
	const bytes = Buffer.allocUnsafe(entries.length * chunkRefBytes);
	for (const [index, entry] of entries.entries()) encodeChunkRef(entry, bytes, index * chunkRefBytes);
	return bytes;
}
