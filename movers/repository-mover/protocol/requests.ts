import { RouseError } from '../../../model/errors.ts';
import type { ChunkClass, PlacedRef } from '../../../repository/chunk-source.ts';
import { decodeClientHello, type Hello, type Naming, otherVersion, versionOf } from './hello.ts';
import { encodeNames, nameBytes } from './names.ts';
import { maxReferences, protocolVersion } from './wire.ts';

export interface ChunkRequest {
	class: ChunkClass;
	locate: boolean;
	count: number;
	/** Of the chunks, as the hello says. */
	names: Buffer;
}

const headBytes = 4;
const classes: readonly ChunkClass[] = ['mount', 'ahead', 'migration'];
const locateFlag = 1;

/** No request is longer. */
export const mostRequestBytes = headBytes + maxReferences * Math.max(...Object.values(nameBytes));

export function encodeRequest(
	naming: Naming,
	refs: readonly PlacedRef[],
	{ class: urgency, locate = false }: { class: ChunkClass; locate?: boolean | undefined },
): Buffer {
	const request = Buffer.allocUnsafe(headBytes + refs.length * nameBytes[naming]);
	request[0] = classes.indexOf(urgency);
	request[1] = locate ? locateFlag : 0;
	request.writeUInt16LE(refs.length, 2);
	encodeNames(naming, refs, request, headBytes);
	return request;
}

/**
 * Takes what a client says apart, in whatever pieces it comes. What it throws is `protocol`: nothing that follows can be
 * understood. Who pushes looks at `length`, for nothing here forgets what was not asked for.
 */
export class RequestReader {
	#bytes: Buffer = Buffer.alloc(0);
	#at = 0;
	#end = 0;
	#naming: Naming | undefined;

	/** How much has come that no hello or request was made of. */
	get length(): number {
		return this.#end - this.#at;
	}

	push(part: Buffer): void {
		if (this.length === 0) {
			[this.#bytes, this.#at, this.#end] = [part, 0, part.length];
			return;
		}
		// Where somebody else's bytes are there is none; and what was given out is never written over.
		if (this.#end + part.length > this.#bytes.length) this.#grow(part.length);
		this.#bytes.set(part, this.#end);
		this.#end += part.length;
	}

	/** Undefined until it is whole. */
	hello(): Hello | undefined {
		const come = this.#bytes.subarray(this.#at, this.#end);
		const version = versionOf(come);
		if (version !== protocolVersion) throw otherVersion(version);
		const hello = decodeClientHello(come);
		if (hello === undefined) return undefined;
		this.#at += hello.bytes;
		this.#naming = hello.naming;
		return { naming: hello.naming, says: hello.says };
	}

	/** The next one after the hello; undefined until it is whole. */
	request(): ChunkRequest | undefined {
		if (this.#naming === undefined || this.length < headBytes) return undefined;
		const urgency = classes[this.#bytes.readUInt8(this.#at)];
		const flags = this.#bytes.readUInt8(this.#at + 1);
		const count = this.#bytes.readUInt16LE(this.#at + 2);
		if (urgency === undefined || flags > locateFlag || count === 0 || count > maxReferences)
			throw new RouseError('protocol', `a request for ${count} chunks of 1 to ${maxReferences}, or of an unknown kind`);
		const end = this.#at + headBytes + count * nameBytes[this.#naming];
		if (this.#end < end) return undefined;
		const names = this.#bytes.subarray(this.#at + headBytes, end);
		this.#at = end;
		return { class: urgency, locate: flags === locateFlag, count, names };
	}

	#grow(more: number): void {
		const grown = Buffer.allocUnsafe(2 * (this.length + more));
		this.#bytes.copy(grown, 0, this.#at, this.#end);
		[this.#bytes, this.#at, this.#end] = [grown, 0, this.length];
	}
}
