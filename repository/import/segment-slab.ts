import { digestBytes } from '../format/digest.ts';
import { type DigestedChunk, encodedRoomBytes } from '../format/chunk.ts';
import { frameCount } from '../format/frame-table.ts';

/** What a slab is for; the same of all slabs of an import. */
export interface SlabShape {
	chunkSizeBytes: number;
	frameSizeBytes: number;
	/** Chunks of a segment at most. */
	chunks: number;
}

/** What is known of a chunk beside its digests. */
const zeroState = 0;
const dataState = 1;
/** State and length of the stored chunk, four bytes each. */
const noteBytes = 8;

/**
 * Room for one segment and all that is made of it, in memory that threads share: its bytes, for each chunk whether it is zero, its
 * digests, and its stored form. So nothing of a segment is waited for while it is under way.
 */
export class SegmentSlab {
	readonly shape: SlabShape;
	readonly shared: SharedArrayBuffer;
	/** The segment's bytes. */
	readonly input: Buffer;
	readonly #output: Buffer;
	readonly #digests: Buffer;
	readonly #notes: Buffer;
	readonly #roomBytes: number;
	/** Of a chunk: its own, then those of its frames. */
	readonly #digestsBytes: number;

	constructor(shape: SlabShape, shared: SharedArrayBuffer = new SharedArrayBuffer(slabBytes(shape))) {
		const { chunkSizeBytes, chunks } = shape;
		this.shape = shape;
		this.shared = shared;
		this.#roomBytes = roomBytes(shape);
		this.#digestsBytes = digestsBytes(shape);
		let at = 0;
		const next = (lengthBytes: number) => {
			at += lengthBytes;
			return Buffer.from(shared, at - lengthBytes, lengthBytes);
		};
		this.input = next(chunks * chunkSizeBytes);
		this.#output = next(chunks * this.#roomBytes);
		this.#digests = next(chunks * this.#digestsBytes);
		this.#notes = next(chunks * noteBytes);
	}

	/** The bytes of a chunk, when `lengthBytes` were read. */
	raw(position: number, lengthBytes: number): Buffer {
		const start = position * this.shape.chunkSizeBytes;
		return this.input.subarray(start, Math.min(lengthBytes, start + this.shape.chunkSizeBytes));
	}

	/** Notes what was found of a chunk; undefined: it is zero. */
	note(position: number, digested: Pick<DigestedChunk, 'digest' | 'frameDigests'> | undefined): void {
		this.#notes.writeUInt32LE(digested === undefined ? zeroState : dataState, position * noteBytes);
		if (digested === undefined) return;
		const at = position * this.#digestsBytes;
		digested.digest.copy(this.#digests, at);
		digested.frameDigests.copy(this.#digests, at + digestBytes);
	}

	/** What was noted; its digests lie in the slab. */
	digested(position: number, lengthBytes: number): DigestedChunk | undefined {
		if (this.#notes.readUInt32LE(position * noteBytes) === zeroState) return undefined;
		const raw = this.raw(position, lengthBytes);
		const frameBytes = this.shape.frameSizeBytes;
		const at = position * this.#digestsBytes;
		const frames = at + digestBytes;
		return {
			raw,
			frameBytes,
			digest: this.#digests.subarray(at, frames),
			frameDigests: this.#digests.subarray(frames, frames + frameCount(raw.length, frameBytes) * digestBytes),
		};
	}

	/** Has `encode` put a chunk's stored form in its place and return its length. */
	store(position: number, encode: (into: Buffer, at: number) => number): void {
		const storedBytes = encode(this.#output, position * this.#roomBytes);
		this.#notes.writeUInt32LE(storedBytes, position * noteBytes + 4);
	}

	/** A chunk's stored form, as it lies in the slab. */
	stored(position: number): Buffer {
		const at = position * this.#roomBytes;
		return this.#output.subarray(at, at + this.#notes.readUInt32LE(position * noteBytes + 4));
	}
}

export function slabBytes(shape: SlabShape): number {
	return shape.chunks * (shape.chunkSizeBytes + roomBytes(shape) + digestsBytes(shape) + noteBytes);
}

function roomBytes({ chunkSizeBytes, frameSizeBytes }: SlabShape): number {
	return encodedRoomBytes(chunkSizeBytes, frameSizeBytes);
}

function digestsBytes({ chunkSizeBytes, frameSizeBytes }: SlabShape): number {
	return digestBytes * (1 + frameCount(chunkSizeBytes, frameSizeBytes));
}
