/** Fields of a structure, read by offset: little-endian throughout, [MS-VHDX] 2. */
import { guidText } from '../model/guid.ts';
import { crc32c } from './crc32c.ts';

export class FieldReader {
	readonly bytes: Uint8Array;
	readonly #view: DataView;

	constructor(bytes: Uint8Array) {
		this.bytes = bytes;
		this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	}

	text(at: number, lengthBytes: number): string {
		return Buffer.from(this.bytes.subarray(at, at + lengthBytes)).toString('latin1');
	}

	guid(at: number): string {
		return guidText(this.bytes.subarray(at, at + 16));
	}

	u16(at: number): number {
		return this.#view.getUint16(at, true);
	}

	u32(at: number): number {
		return this.#view.getUint32(at, true);
	}

	u64(at: number): bigint {
		return this.#view.getBigUint64(at, true);
	}

	/** A u64 that is a place or a length. Beyond 2^53 it is rounded, and then far behind the end of any file. */
	place(at: number): number {
		return Number(this.u64(at));
	}

	isZero(at: number, lengthBytes: number): boolean {
		return this.bytes.subarray(at, at + lengthBytes).every(byte => byte === 0);
	}

	/** Whether the CRC-32C in the second four bytes is that of all, the field itself counted as zeros: 2.2.2, 2.2.3.1. */
	hasChecksum(): boolean {
		const copy = new Uint8Array(this.bytes);
		copy.fill(0, 4, 8);
		return crc32c(copy) === this.u32(4);
	}
}
