/**
 * What was written to a disk, as an append-only file: a simulated machine's overlay, and its writes that were not flushed
 * yet. All numbers are little-endian.
 *
 * Header, 64 bytes: magic "RouseSim", version 0 (4), 0 (4), size of the disk (8), nonce (16), 0 (20), CRC-32 of bytes 0
 * to 59 (4).
 * Record, 32 bytes and the data: offset on the disk (8), length (8), 1 for data and 0 for zeros that are not stored (4),
 * 0 (8), CRC-32 of the nonce, the 28 bytes before and the data (4).
 *
 * Offsets and lengths are whole sectors. The first record that is not whole ends the journal; the next append cuts it off.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { sectorBytes } from '../../model/chunk-bounds.ts';
import { RouseError } from '../../model/errors.ts';
import { readWhole, writeWhole } from './whole-io.ts';

/** Bytes for a place of the disk; without `data` they are zeros. */
export interface DiskWrite {
	offsetBytes: number;
	lengthBytes: number;
	data: Buffer | undefined;
}

/** A part of a disk and where its bytes lie in the journal; `zero`: they are zero; `absent`: it was never written. */
export interface JournalPart {
	offsetBytes: number;
	lengthBytes: number;
	at: number | 'zero' | 'absent';
}

const magic = Buffer.from('RouseSim', 'latin1');
const headerBytes = 64;
const recordBytes = 32;

export function emptyJournal(sizeBytes: number): Buffer {
	const header = Buffer.alloc(headerBytes);
	magic.copy(header, 0);
	header.writeBigUInt64LE(BigInt(sizeBytes), 16);
	randomBytes(16).copy(header, 24);
	header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
	return header;
}

/** The callers see to it that nobody else changes the file meanwhile; between two calls anybody may have. */
export class BlockJournal {
	readonly path: string;
	readonly #sizeBytes: number;
	#nonce: Buffer | undefined;
	#nonceCrc = 0;
	/** After the last whole record. */
	#end = headerBytes;
	/** Sector of the disk to the place of its bytes, or -1 for zeros. */
	#sectors = new Map<number, number>();

	constructor(path: string, sizeBytes: number) {
		this.path = path;
		this.#sizeBytes = sizeBytes;
	}

	/** Opened and up to date with the file for as long as `work` takes. */
	use<T>(flags: 'r' | 'r+', work: (journal: OpenJournal) => T): T {
		const fd = openSync(this.path, flags);
		try {
			this.#refresh(fd);
			return work(this.#opened(fd));
		} finally {
			closeSync(fd);
		}
	}

	/** An empty one in its place, or where none was; whole or not at all. */
	reset(): void {
		const temporary = `${this.path}.new`; // there is one writer
		writeFileSync(temporary, emptyJournal(this.#sizeBytes), { mode: 0o600 });
		renameSync(temporary, this.path);
	}

	#opened(fd: number): OpenJournal {
		const end = () => this.#end;
		return {
			get end() {
				return end();
			},
			parts: (offsetBytes, lengthBytes) => this.#parts(offsetBytes, lengthBytes),
			read: (at, into) => readWhole(fd, at, into),
			append: (writes, options) => this.#append(fd, writes, options),
			records: from => this.#records(fd, from),
		};
	}

	#refresh(fd: number): void {
		const header = Buffer.alloc(headerBytes);
		const { size } = fstatSync(fd);
		if (size < headerBytes) throw this.#damaged(`${size} bytes`);
		readWhole(fd, 0, header);
		const nonce = header.subarray(24, 40);
		if (!header.subarray(0, 8).equals(magic) || crc32(header.subarray(0, 60)) !== header.readUInt32LE(60))
			throw this.#damaged('its header is none');
		if (Number(header.readBigUInt64LE(16)) !== this.#sizeBytes) throw this.#damaged('it is of a disk of another size');
		if (this.#nonce?.equals(nonce) !== true || size < this.#end) this.#begin(nonce);
		for (const { write, at, end } of this.#whole(fd, this.#end, size)) {
			this.#note(write, at);
			this.#end = end;
		}
	}

	#begin(nonce: Buffer): void {
		this.#nonce = Buffer.from(nonce);
		this.#nonceCrc = crc32(this.#nonce);
		this.#end = headerBytes;
		this.#sectors = new Map();
	}

	#append(fd: number, writes: readonly DiskWrite[], { durable }: { durable: boolean }): void {
		if (fstatSync(fd).size > this.#end) ftruncateSync(fd, this.#end);
		for (const write of writes) {
			const header = this.#encode(write);
			writeWhole(fd, header, this.#end);
			const at = this.#end + recordBytes;
			if (write.data) writeWhole(fd, write.data, at);
			this.#note(write, at);
			this.#end = at + (write.data?.length ?? 0);
		}
		if (durable) fdatasyncSync(fd);
	}

	#encode({ offsetBytes, lengthBytes, data }: DiskWrite): Buffer {
		if (offsetBytes % sectorBytes !== 0 || lengthBytes % sectorBytes !== 0 || lengthBytes === 0)
			throw new RouseError('internal', `a write of ${lengthBytes} bytes at ${offsetBytes} is not of whole sectors`);
		if (offsetBytes + lengthBytes > this.#sizeBytes || (data && data.length !== lengthBytes))
			throw new RouseError('internal', `a write of ${lengthBytes} bytes at ${offsetBytes} of ${this.#sizeBytes}`);
		const header = Buffer.alloc(recordBytes);
		header.writeBigUInt64LE(BigInt(offsetBytes), 0);
		header.writeBigUInt64LE(BigInt(lengthBytes), 8);
		header.writeUInt32LE(data ? 1 : 0, 16);
		header.writeUInt32LE(this.#crcOf(header, data), 28);
		return header;
	}

	#crcOf(header: Buffer, data: Buffer | undefined): number {
		const ofHeader = crc32(header.subarray(0, 28), this.#nonceCrc);
		return data ? crc32(data, ofHeader) : ofHeader;
	}

	#note({ offsetBytes, lengthBytes, data }: DiskWrite, at: number): void {
		const first = offsetBytes / sectorBytes;
		for (let n = 0; n < lengthBytes / sectorBytes; n++) this.#sectors.set(first + n, data ? at + n * sectorBytes : -1);
	}

	*#parts(offsetBytes: number, lengthBytes: number): Generator<JournalPart> {
		let open: JournalPart | undefined;
		const last = (offsetBytes + lengthBytes) / sectorBytes;
		for (let sector = offsetBytes / sectorBytes; sector < last; sector++) {
			const found = this.#sectors.get(sector);
			const at = found === undefined ? 'absent' : found === -1 ? 'zero' : found;
			const continues =
				open !== undefined && (typeof open.at === 'number' ? open.at + open.lengthBytes : open.at) === at;
			if (open && continues) open.lengthBytes += sectorBytes;
			else {
				if (open) yield open;
				open = { offsetBytes: sector * sectorBytes, lengthBytes: sectorBytes, at };
			}
		}
		if (open) yield open;
	}

	*#records(fd: number, from: number): Generator<DiskWrite> {
		for (const { write } of this.#whole(fd, Math.max(from, headerBytes), this.#end)) yield write;
	}

	/** Whole records from a place that one begins at. */
	*#whole(fd: number, from: number, size: number): Generator<{ write: DiskWrite; at: number; end: number }> {
		const header = Buffer.alloc(recordBytes);
		for (let start = from; start + recordBytes <= size; ) {
			readWhole(fd, start, header);
			const offsetBytes = Number(header.readBigUInt64LE(0));
			const lengthBytes = Number(header.readBigUInt64LE(8));
			const at = start + recordBytes;
			const stored = header.readUInt32LE(16) === 1 ? lengthBytes : 0;
			if (offsetBytes + lengthBytes > this.#sizeBytes || at + stored > size) return;
			const data = stored > 0 ? Buffer.allocUnsafe(stored) : undefined;
			if (data) readWhole(fd, at, data);
			if (this.#crcOf(header, data) !== header.readUInt32LE(28)) return;
			yield { write: { offsetBytes, lengthBytes, data }, at, end: at + stored };
			start = at + stored;
		}
	}

	#damaged(why: string): RouseError {
		return new RouseError('machine_failed', `${this.path} is no journal of this disk: ${why}`);
	}
}

export interface OpenJournal {
	/** After its last record: where the next will begin. */
	readonly end: number;
	/** All of a range of whole sectors, in order. */
	parts(offsetBytes: number, lengthBytes: number): Generator<JournalPart>;
	read(at: number, into: Buffer): void;
	append(writes: readonly DiskWrite[], options: { durable: boolean }): void;
	/** From an earlier `end` on, in their order; 0 for all. */
	records(from: number): Generator<DiskWrite>;
}
