import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash';

/** Name of the algorithm in a header, and in content digests (docs/format.md, "Digests"). */
export const digestAlgorithm = 'blake3';

export const digestBytes = 32;

/** H: the digest of some bytes, 32 of them. */
export function digestOf(bytes: Uint8Array): Buffer {
	return blake3(asBuffer(bytes));
}

/** H of what does not lie in one piece. */
export class Digester {
	readonly #hasher = new Blake3Hasher();

	update(bytes: Uint8Array): this {
		this.#hasher.update(asBuffer(bytes));
		return this;
	}

	/** Of all that was given so far; more MAY follow. */
	digest(): Buffer {
		return this.#hasher.digestBuffer();
	}
}

/** The library takes Buffers alone; no byte is copied. */
function asBuffer(bytes: Uint8Array): Buffer {
	return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
