/**
 * What is said to a repository mover: HTTP/1.1 with keep-alive.
 *
 *     POST /chunks?class=mount|ahead|migration[&locate=1]
 *
 * An answer of the class `ahead` begins when its first piece has had its turn at the repository's limit, and then comes without
 * waiting for that. `rouse-stream: RECOVERY-ID` says whose copy it is, as the token does by TLS; all without it are one.
 *
 * Body on a Unix socket: references of 56 bytes each, as in a page entry (docs/format.md, "Reference"); a zero entry is
 * refused. By TLS, with `authorization: Bearer TOKEN`, places in the token's restore point of 44 bytes each, little-endian,
 * so that nothing else can be named:
 *
 *     digest of the disk's root | u32 height | u64 number
 *
 * Answer: 200, and in the order of the references or places one frame for each, little-endian:
 *
 *     u32 length (at least 1) | that many bytes, as they lie in the pack
 *
 * An error ends the answer in the place of the next frame:
 *
 *     u32 0 | u32 length | that many bytes of JSON, an error document
 *
 * By TLS there may be `u32 0xffffffff` between two frames: the mover is there. It says so every
 * `aliveEveryMs`; a connection that says nothing at all for much longer is dead, whatever TCP thinks of it.
 *
 * An answer that ends otherwise before all frames is a mover that died: what came before is good, ask for the rest.
 */
import { type ChunkRef, maxStoredBytes } from '../../model/chunk.ts';
import { type ErrorDocument, errorDocumentSchema, RouseError } from '../../model/errors.ts';
import type { PlacedRef, PlaceInPoint } from '../../repository/chunk-source.ts';
import { chunkRefBytes, decodeChunkRef, encodeChunkRef } from '../../repository/format/reference.ts';

/** References in one request: 8 MiB of disk in chunks of 4 KiB, 256 MiB in chunks of 128 KiB. */
export const maxReferences = 2048;

export const streamHeader = 'rouse-stream';

export const placeBytes = 44;
const digestBytes = 32;

/** A silent peer of more than a few of these is none (client-connections.ts). */
export const aliveEveryMs = 2_000;
const aliveMark = 0xffff_ffff;
export const aliveFrame = Buffer.alloc(4, 0xff);

export function encodePlaces(refs: readonly PlacedRef[]): Buffer {
	const body = Buffer.allocUnsafe(refs.length * placeBytes);
	for (const [n, { digest, place }] of refs.entries()) {
		if (place === undefined) throw new RouseError('internal', `chunk ${digest} is asked for without its place`);
		const at = n * placeBytes;
		body.write(place.root, at, digestBytes, 'hex');
		body.writeUInt32LE(place.height, at + digestBytes);
		body.writeBigUInt64LE(BigInt(place.number), at + digestBytes + 4);
	}
	return body;
}

/** Throws `protocol` for a body that is not a list of places. */
export function decodePlaces(body: Buffer): PlaceInPoint[] {
	if (body.length === 0 || body.length % placeBytes !== 0)
		throw new RouseError('protocol', `${body.length} bytes are no places of ${placeBytes} bytes`);
	const places: PlaceInPoint[] = [];
	for (let at = 0; at < body.length; at += placeBytes)
		places.push({
			root: body.toString('hex', at, at + digestBytes),
			height: body.readUInt32LE(at + digestBytes),
			number: Number(body.readBigUInt64LE(at + digestBytes + 4)),
		});
	return places;
}

export function encodeRequest(refs: readonly ChunkRef[]): Buffer {
	const body = Buffer.allocUnsafe(refs.length * chunkRefBytes);
	for (const [n, ref] of refs.entries()) encodeChunkRef(ref, body, n * chunkRefBytes);
	return body;
}

/** Throws `protocol` for a body that is not a list of references. */
export function decodeRequest(body: Buffer): ChunkRef[] {
	if (body.length === 0 || body.length % chunkRefBytes !== 0)
		throw new RouseError('protocol', `${body.length} bytes are no references of ${chunkRefBytes} bytes`);
	const refs: ChunkRef[] = [];
	for (let at = 0; at < body.length; at += chunkRefBytes) {
		const entry = decodeChunkRef(body, at);
		if (entry === 'zero') throw new RouseError('protocol', `reference ${refs.length} is a zero entry`);
		refs.push(entry);
	}
	return refs;
}

/** A copy: `stored` may be used again at once. */
export function encodeChunkFrame(stored: Uint8Array): Buffer {
	const frame = Buffer.allocUnsafe(4 + stored.length);
	frame.writeUInt32LE(stored.length, 0);
	frame.set(stored, 4);
	return frame;
}

export function encodeErrorFrame(document: ErrorDocument): Buffer {
	const json = Buffer.from(JSON.stringify(document));
	const frame = Buffer.alloc(8 + json.length);
	frame.writeUInt32LE(json.length, 4);
	frame.set(json, 8);
	return frame;
}

/** Takes an answer apart, in whatever pieces it comes. */
export class FrameReader {
	#parts: Buffer[] = [];
	#available = 0;

	push(part: Buffer): void {
		this.#parts.push(part);
		this.#available += part.length;
	}

	/**
	 * The next stored chunk, or undefined until more is pushed. An error frame is thrown as the error it holds; `protocol`
	 * for a length that no honest peer sends.
	 */
	next(): Buffer | undefined {
		if (this.#available < 4) return undefined;
		const length = this.#peek(4).readUInt32LE(0);
		if (length === aliveMark) {
			this.#take(4);
			return this.next();
		}
		if (length === 0) return this.#error();
		if (length > maxStoredBytes)
			throw new RouseError('protocol', `a frame of ${length} bytes, at most ${maxStoredBytes}`);
		if (this.#available < 4 + length) return undefined;
		return this.#take(4 + length).subarray(4);
	}

	#error(): undefined {
		if (this.#available < 8) return undefined;
		const length = this.#peek(8).readUInt32LE(4);
		if (length > maxStoredBytes)
			throw new RouseError('protocol', `an error of ${length} bytes, at most ${maxStoredBytes}`);
		if (this.#available < 8 + length) return undefined;
		const json = this.#take(8 + length).toString('utf8', 8);
		throw RouseError.fromDocument(errorDocumentSchema.parse(JSON.parse(json)));
	}

	#peek(bytes: number): Buffer {
		const first = this.#parts[0];
		if (first !== undefined && first.length >= bytes) return first;
		return this.#gather();
	}

	#take(bytes: number): Buffer {
		const whole = this.#peek(bytes);
		const rest = whole.subarray(bytes);
		if (rest.length > 0) this.#parts[0] = rest;
		else this.#parts.shift();
		this.#available -= bytes;
		return whole.subarray(0, bytes);
	}

	#gather(): Buffer {
		const whole = Buffer.concat(this.#parts);
		this.#parts = [whole];
		return whole;
	}
}
