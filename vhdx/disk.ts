import { exactBytes } from '../model/format-bytes.ts';
import { bitmapEntry, type BlockEntry, blockEntry } from './block-table.ts';
import { type ByteSource, bytesInside, refused } from './byte-source.ts';
import { bitmapBlockBytes, sectorsOfBitmap } from './constants.ts';
import { FieldReader } from './field-reader.ts';
import { blocksOfChunk, entryOfBitmap, entryOfBlock } from './geometry.ts';
import type { Extent } from './header-section.ts';
import type { Vhdx } from './open.ts';
import { PagedBytes } from './paged-bytes.ts';

/** What a differencing disk falls back to: another VHDX, or whatever else stands for it. */
export interface ParentDisk {
	readonly dataWriteGuid: string;
	readonly sizeBytes: number;
	readonly logicalSectorBytes: number;
	read(atBytes: number, lengthBytes: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** A piece of the disk, and where its bytes are. */
export interface Located extends Extent {
	readonly in: { readonly kind: 'zeros' | 'parent' } | { readonly kind: 'file'; readonly atBytes: number };
}

/** The content of a VHDX. */
export class VhdxDisk implements ParentDisk {
	readonly dataWriteGuid: string;
	readonly sizeBytes: number;
	readonly logicalSectorBytes: number;
	readonly source: ByteSource;
	readonly #vhdx: Vhdx;
	readonly #parent: ParentDisk | undefined;
	readonly #tables: PagedBytes;

	/**
	 * `parent` for a differencing disk and no other. Throws `source_invalid` when it is not the one that the disk was made
	 * upon: [MS-VHDX] 2.6.2.6.3 asks for the comparison.
	 */
	constructor(vhdx: Vhdx, parent?: ParentDisk) {
		checkLinkage(vhdx, parent);
		this.dataWriteGuid = vhdx.ids.dataWriteGuid;
		this.sizeBytes = vhdx.geometry.sizeBytes;
		this.logicalSectorBytes = vhdx.geometry.logicalSectorBytes;
		this.source = vhdx.source;
		this.#vhdx = vhdx;
		this.#parent = parent;
		this.#tables = new PagedBytes(vhdx.source);
	}

	/** All of these bytes, which must lie within the disk. */
	async read(atBytes: number, lengthBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
		const bytes = new Uint8Array(lengthBytes);
		for await (const piece of this.locate(atBytes, lengthBytes, signal)) {
			if (piece.in.kind === 'zeros') continue;
			const read =
				piece.in.kind === 'file'
					? await bytesInside(this.source, 'block', piece.in.atBytes, piece.lengthBytes, signal)
					: await this.#ofParent(piece, signal);
			if (read) bytes.set(read, piece.atBytes - atBytes);
		}
		return bytes;
	}

	/** What the parent has of a piece: behind its end there are zeros. */
	async #ofParent({ atBytes, lengthBytes }: Extent, signal?: AbortSignal): Promise<Uint8Array | undefined> {
		const thereBytes = Math.min(lengthBytes, (this.#parent?.sizeBytes ?? 0) - atBytes);
		return thereBytes > 0 ? await this.#parent?.read(atBytes, thereBytes, signal) : undefined;
	}

	/** Where the bytes of a part of the disk are, in its order and without gaps. Throws a RangeError for what it has not. */
	async *locate(atBytes: number, lengthBytes: number, signal?: AbortSignal): AsyncGenerator<Located> {
		if (atBytes < 0 || atBytes + lengthBytes > this.sizeBytes)
			throw new RangeError(
				`${exactBytes(lengthBytes)} at ${atBytes} are not in a disk of ${exactBytes(this.sizeBytes)}`,
			);
		const { blockBytes } = this.#vhdx.geometry;
		const endBytes = atBytes + lengthBytes;
		for (let at = atBytes; at < endBytes; ) {
			signal?.throwIfAborted();
			const block = Math.floor(at / blockBytes);
			const entry = await this.#entry(block, signal);
			const end = Math.min(endBytes, (block + 1) * blockBytes);
			const piece = { atBytes: at, lengthBytes: end - at };
			if (entry.kind === 'partial') yield* this.#locateSectors(block, entry.atBytes, piece, signal);
			else if (entry.kind === 'whole')
				yield { ...piece, in: { kind: 'file', atBytes: entry.atBytes + (at - block * blockBytes) } };
			else yield { ...piece, in: entry };
			at = end;
		}
	}

	async #entry(block: number, signal?: AbortSignal): Promise<BlockEntry> {
		const { geometry, type } = this.#vhdx;
		const [low, high] = await this.#halves(entryOfBlock(geometry, block), signal);
		const entry = blockEntry(low, high, type === 'differencing');
		if (entry === undefined) throw this.#changed();
		return entry;
	}

	async *#locateSectors(
		block: number,
		blockAtBytes: number,
		piece: Extent,
		signal?: AbortSignal,
	): AsyncGenerator<Located> {
		const { blockBytes, logicalSectorBytes } = this.#vhdx.geometry;
		const bitmapAtBytes = await this.#bitmap(block, signal);
		const endBytes = piece.atBytes + piece.lengthBytes;
		let start = piece.atBytes;
		let isHere: boolean | undefined;
		const run = (end: number): Located => ({
			atBytes: start,
			lengthBytes: end - start,
			in: isHere ? { kind: 'file', atBytes: blockAtBytes + (start - block * blockBytes) } : { kind: 'parent' },
		});
		let bits: Uint8Array = new Uint8Array(0);
		let bitsAt = 0;
		for (let at = piece.atBytes; at < endBytes; at = (Math.floor(at / logicalSectorBytes) + 1) * logicalSectorBytes) {
			const sector = Math.floor(at / logicalSectorBytes) % sectorsOfBitmap;
			const byteAt = sector >> 3;
			if (byteAt < bitsAt || byteAt >= bitsAt + bits.length) {
				bits = await this.#tables.some('sector bitmap', bitmapAtBytes + byteAt, bitmapBlockBytes - byteAt, signal);
				bitsAt = byteAt;
			}
			const isSet = ((bits[byteAt - bitsAt] ?? 0) & (1 << (sector & 7))) !== 0;
			if (isHere !== undefined && isSet !== isHere) {
				yield run(at);
				start = at;
			}
			isHere = isSet;
		}
		yield run(endBytes);
	}

	async #bitmap(block: number, signal?: AbortSignal): Promise<number> {
		const { geometry } = this.#vhdx;
		const chunk = Math.floor(block / blocksOfChunk(geometry));
		const atBytes = bitmapEntry(...(await this.#halves(entryOfBitmap(geometry, chunk), signal)), true);
		if (atBytes === null || atBytes === undefined) throw this.#changed();
		return atBytes;
	}

	async #halves(index: number, signal?: AbortSignal): Promise<[low: number, high: number]> {
		const { blockTable } = this.#vhdx;
		const bytes = await this.#tables.some('block allocation table', blockTable.atBytes + index * 8, 8, signal);
		const fields = new FieldReader(bytes);
		return [fields.u32(0), fields.u32(4)];
	}

	/** Every entry was looked at when the file was opened. */
	#changed(): Error {
		return refused(this.#vhdx.source, 'its block allocation table changed while it was read');
	}
}

function checkLinkage({ source, parent: locator, geometry }: Vhdx, parent: ParentDisk | undefined): void {
	if (locator === undefined) {
		if (parent !== undefined) throw refused(source, 'it is no differencing disk, and was given a parent');
		return;
	}
	const { linkage, otherLinkage, relativePath, volumePath, absolutePath } = locator;
	const path = relativePath ?? volumePath ?? absolutePath ?? '';
	if (parent === undefined)
		throw refused(
			source,
			`it is a differencing disk, and its parent ${path} was not given`,
			`convert the chain into one`,
		);
	const guid = parent.dataWriteGuid.toLowerCase();
	if (guid !== linkage && guid !== otherLinkage)
		throw refused(
			source,
			`its parent ${path} was ${linkage} when the child was made, and is ${guid}`,
			'the parent was written to, or is another one: find the one that belongs to it',
		);
	// 2.6.2.2 and 2.6.1.2 let the sizes of the disks differ: a child that was resized passes its own on when it is merged.
	if (parent.logicalSectorBytes !== geometry.logicalSectorBytes)
		throw refused(
			source,
			`its sectors have ${geometry.logicalSectorBytes} bytes, and those of its parent ${path} ${parent.logicalSectorBytes}`,
		);
}
