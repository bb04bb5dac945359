import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { RouseError } from '../../model/errors.ts';
import { keys } from '../format/keys.ts';
import { limits } from '../format/limits.ts';
import { decodePackEnd, encodePackEnd, maxPackBytes, type PackedChunk, packEndBytes } from '../format/pack.ts';
import type { Store } from '../store/contract.ts';

export interface PackPlace {
	packId: string;
	offsetBytes: number;
}

export interface PackWriterOptions {
	/** Size at which a pack is put into the store. */
	packBytes: number;
	/** Ends the puts; the writer is dead then, as after an error. */
	signal?: AbortSignal | undefined;
}

/**
 * Collects stored chunks into packs, in memory, and puts each into the store when it is full; one put is under way while
 * the next pack is filled. A place is true once `flush` has returned. After an error the writer is dead.
 */
export class PackWriter {
	readonly #store: Store;
	readonly #packBytes: number;
	readonly #signal: AbortSignal | undefined;
	#packId = randomPackId();
	#parts: Buffer[] = [];
	#chunks: PackedChunk[] = [];
	#filledBytes = 0;
	#publishing: Promise<void> = Promise.resolve();
	#failure: unknown;
	/** Bytes that this writer added to the store, footers included. */
	storedBytes = 0;

	constructor(store: Store, { packBytes, signal }: PackWriterOptions) {
		this.#store = store;
		this.#packBytes = packBytes;
		this.#signal = signal;
	}

	/** Where the chunk will lie. Waits while two packs are full. `stored` must not change until `flush` has returned. */
	async append(digest: string, stored: Buffer, rawBytes: number): Promise<PackPlace> {
		const full = this.#filledBytes + stored.length > Math.min(this.#packBytes, maxPackBytes);
		if (this.#filledBytes > 0 && (full || this.#chunks.length === limits.packChunks)) await this.#publish();
		if (this.#failure !== undefined) throw this.#failure;
		const offsetBytes = this.#filledBytes;
		this.#parts.push(stored);
		this.#chunks.push({ digest, offsetBytes, storedBytes: stored.length, rawBytes });
		this.#filledBytes += stored.length;
		return { packId: this.#packId, offsetBytes };
	}

	/** Returns when all that was appended is in the store. */
	async flush(): Promise<void> {
		if (this.#chunks.length > 0) await this.#publish();
		await this.#publishing;
		if (this.#failure !== undefined) throw this.#failure;
	}

	/** Hands the full pack over, once the one before it is stored, and begins another. */
	async #publish(): Promise<void> {
		await this.#publishing;
		if (this.#failure !== undefined) throw this.#failure;
		const packId = this.#packId;
		const pack = assemblePack(packId, this.#parts, this.#chunks, this.#filledBytes);
		this.#packId = randomPackId();
		this.#parts = [];
		this.#chunks = [];
		this.#filledBytes = 0;
		this.#publishing = this.#put(packId, pack);
	}

	/** Never rejects: the failure is kept for the next call, which may come much later. */
	async #put(packId: string, pack: Buffer): Promise<void> {
		try {
			if (!(await this.#store.putExclusive(keys.pack(packId), pack, this.#signal)))
				throw new RouseError('internal', `a pack with the random id ${packId} exists already`);
			this.storedBytes += pack.length;
		} catch (error) {
			this.#failure = error;
		}
	}
}

/** The bytes of a pack; what they say of themselves is read back and compared before anybody stores them. */
function assemblePack(packId: string, parts: readonly Buffer[], chunks: PackedChunk[], dataBytes: number): Buffer {
	const pack = Buffer.allocUnsafeSlow(dataBytes + packEndBytes(chunks.length));
	let at = 0;
	for (const part of parts) at += part.copy(pack, at);
	encodePackEnd({ packId, chunks }).copy(pack, dataBytes);
	const readBack = decodePackEnd(pack.subarray(dataBytes), packId, pack.length);
	if (at !== dataBytes || !isDeepStrictEqual(readBack, { packId, chunks }))
		throw new RouseError('internal', `the footer of pack ${packId} reads back differently: bad memory, or a bug`, {
			hint: 'nothing of this pack was stored; test the memory of this machine, and report it',
		});
	return pack;
}

function randomPackId(): string {
	return randomBytes(16).toString('hex');
}
