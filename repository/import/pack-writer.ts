import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { RouseError } from '../../model/errors.ts';
import { Digester } from '../format/digest.ts';
import type { ChunkKind } from '../format/frame-table.ts';
import { keys } from '../format/keys.ts';
import { limits } from '../format/limits.ts';
import {
	decodePackEnd,
	encodePackEnd,
	maxPackBytes,
	type PackedChunk,
	packEndBytes,
	type PackFooter,
} from '../format/pack.ts';
import type { ObjectWriter, Store } from '../store/contract.ts';

export interface PackPlace {
	packId: string;
	offsetBytes: number;
}

/** A pack that is in the store. */
export interface StoredPack {
	footer: PackFooter;
	/** Of the whole pack. */
	sizeBytes: number;
}

export interface PackWriterOptions {
	kind: ChunkKind;
	/** Size at which a pack is finished. */
	packBytes: number;
	/** What must be durable before a pack is: waited for when one is full. */
	before?: (() => Promise<void>) | undefined;
	/** Told of each pack when it is durable, in their order; it may fail, and the writer with it. */
	onStored?: ((pack: StoredPack) => Promise<void>) | undefined;
	/** Ends the puts; the writer is dead then, as after an error. */
	signal?: AbortSignal | undefined;
}

/** Stored chunks are collected to pieces of this size: few writes, and little memory. */
const mostPieceBytes = 1024 * 1024;

/**
 * Writes stored chunks into packs, one after the other; while one is being made durable the next is filled. A place is true
 * once `flush` has returned. After an error the writer is dead; whoever gives it up calls `abandon`.
 */
export class PackWriter {
	readonly #store: Store;
	readonly #options: PackWriterOptions;
	#pack: OpenPack | undefined;
	/** Ids of packs that are not in the store yet: the one being filled, and the one being made durable. */
	readonly #open = new Set<string>();
	#publishing: Promise<void> = Promise.resolve();
	#failure: unknown;
	/** Bytes that this writer added to the store, footers included. */
	storedBytes = 0;

	constructor(store: Store, options: PackWriterOptions) {
		this.#store = store;
		this.#options = options;
	}

	/** Where the chunk will lie. Once this has settled `stored` may be used again: it is copied, when there is a pack to put it into. */
	async append(digest: string, stored: Buffer, rawBytes: number): Promise<PackPlace> {
		this.#throwFailure();
		if (this.#pack?.isFull(stored.length, this.#options.packBytes)) await this.#publish();
		const { kind, packBytes, signal } = this.#options;
		this.#pack ??= await OpenPack.begin(this.#store, kind, pieceBytesOf(packBytes), signal);
		this.#open.add(this.#pack.packId);
		return this.#pack.append(digest, stored, rawBytes);
	}

	/** Whether a pack of this writer is not in the store yet. */
	isOpen(packId: string): boolean {
		return this.#open.has(packId);
	}

	/** Returns when all that was appended is in the store. */
	async flush(): Promise<void> {
		await this.#publish();
		await this.#publishing;
		this.#throwFailure();
	}

	/** Leaves nothing of a pack that is not finished. Waits for the one that is being made durable. */
	async abandon(): Promise<void> {
		await this.#publishing;
		await this.#pack?.abandon();
	}

	/** Hands the open pack over, once the one before it is stored. */
	async #publish(): Promise<void> {
		await this.#publishing;
		this.#throwFailure();
		const pack = this.#pack;
		if (pack === undefined) return;
		this.#pack = undefined;
		this.#publishing = this.#finish(pack);
	}

	/** Never rejects: the failure is kept for the next call, which may come much later. */
	async #finish(pack: OpenPack): Promise<void> {
		try {
			await this.#options.before?.();
			const stored = await pack.finish();
			this.storedBytes += stored.sizeBytes;
			this.#open.delete(pack.packId);
			await this.#options.onStored?.(stored);
		} catch (error) {
			this.#failure = error;
			await pack.abandon().catch(() => {}); // the first failure is the one to tell
		}
	}

	#throwFailure(): void {
		if (this.#failure !== undefined) throw this.#failure;
	}
}

/** A pack that holds less than a piece takes no more than that. */
function pieceBytesOf(packBytes: number): number {
	return Math.min(mostPieceBytes, Math.max(64 * 1024, packBytes));
}

/** The pack that is being filled. */
class OpenPack {
	readonly packId: string;
	readonly #writer: ObjectWriter;
	readonly #kind: ChunkKind;
	readonly #chunks: PackedChunk[] = [];
	readonly #digester = new Digester();
	readonly #pieceBytes: number;
	#piece: Buffer;
	#pieceFilled = 0;
	/** Pieces that are written. */
	readonly #spare: Buffer[] = [];
	/** All pieces so far, one behind the other; after one that failed no other is written. */
	#written: Promise<void> = Promise.resolve();
	#dataBytes = 0;
	#rawBytes = 0;

	private constructor(packId: string, writer: ObjectWriter, kind: ChunkKind, pieceBytes: number) {
		this.packId = packId;
		this.#writer = writer;
		this.#kind = kind;
		this.#pieceBytes = pieceBytes;
		this.#piece = Buffer.allocUnsafeSlow(pieceBytes);
	}

	static async begin(
		store: Store,
		kind: ChunkKind,
		pieceBytes: number,
		signal: AbortSignal | undefined,
	): Promise<OpenPack> {
		const packId = randomBytes(16).toString('hex');
		return new OpenPack(packId, await store.create(keys.pack(packId), signal), kind, pieceBytes);
	}

	isFull(nextBytes: number, packBytes: number): boolean {
		if (this.#chunks.length === 0) return false;
		const dataBytes = this.#dataBytes + nextBytes;
		const tooLong = dataBytes + packEndBytes(this.#chunks.length + 1) > maxPackBytes;
		return dataBytes > packBytes || tooLong || this.#chunks.length === limits.packChunks;
	}

	async append(digest: string, stored: Buffer, rawBytes: number): Promise<PackPlace> {
		const offsetBytes = this.#dataBytes;
		this.#chunks.push({ digest, offsetBytes, storedBytes: stored.length });
		this.#dataBytes += stored.length;
		this.#rawBytes += rawBytes;
		// All of it before anything is waited for: the pack may be finished meanwhile, and what `stored` lies in be used again.
		let isPieceFull = false;
		for (let from = 0; from < stored.length; ) {
			const copied = stored.copy(this.#piece, this.#pieceFilled, from);
			from += copied;
			this.#pieceFilled += copied;
			if (this.#pieceFilled < this.#pieceBytes) continue;
			isPieceFull = true;
			this.#writePiece();
		}
		if (isPieceFull) await this.#written;
		return { packId: this.packId, offsetBytes };
	}

	/** Its digest is of what is written, whatever became of what it was copied from. */
	#writePiece(): void {
		const piece = this.#piece;
		const bytes = piece.subarray(0, this.#pieceFilled);
		this.#piece = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#pieceBytes);
		this.#pieceFilled = 0;
		this.#digester.update(bytes);
		this.#written = this.#write(piece, bytes, this.#written);
		this.#written.catch(() => {}); // whoever waits for it, or finishes the pack, is told
	}

	async #write(piece: Buffer, bytes: Buffer, before: Promise<void>): Promise<void> {
		await before;
		await this.#writer.append(bytes);
		this.#spare.push(piece);
	}

	/**
	 * What the pack says of itself is read back and compared before anybody can see it. May be called while a piece is being
	 * written: a page pack that is full closes the data pack which is being filled.
	 */
	async finish(): Promise<StoredPack> {
		if (this.#pieceFilled > 0) this.#writePiece();
		await this.#written;
		const dataDigest = this.#digester.digest();
		const footer = {
			packId: this.packId,
			kind: this.#kind,
			rawBytes: this.#rawBytes,
			chunks: this.#chunks,
			dataDigest,
		};
		const end = encodePackEnd(footer);
		const sizeBytes = this.#dataBytes + end.length;
		if (!isDeepStrictEqual(decodePackEnd(end, this.packId, sizeBytes), footer))
			throw new RouseError(
				'internal',
				`the footer of pack ${this.packId} reads back differently: bad memory, or a bug`,
				{
					hint: 'nothing of this pack was stored; test the memory of this machine, and report it',
				},
			);
		await this.#writer.append(end);
		if (!(await this.#writer.finish()))
			throw new RouseError('internal', `a pack with the random id ${this.packId} exists already`);
		return { footer, sizeBytes };
	}

	async abandon(): Promise<void> {
		await this.#writer.abandon();
	}
}
