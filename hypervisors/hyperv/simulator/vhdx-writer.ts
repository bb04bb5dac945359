import type { ByteSource } from '../../../vhdx/byte-source.ts';
import {
	bitmapBlockBytes,
	bitmapStates,
	blockStates,
	headerBytes,
	headersAtBytes,
	itemFlags,
	items,
	mebibyte,
	metadataTableBytes,
} from '../../../vhdx/constants.ts';
import { crc32c } from '../../../vhdx/crc32c.ts';
import { FieldReader } from '../../../vhdx/field-reader.ts';
import { Fields } from '../../../vhdx/fields.ts';
import { blocksOfChunk, entryOfBitmap, entryOfBlock } from '../../../vhdx/geometry.ts';
import { openVhdx, type Vhdx } from '../../../vhdx/open.ts';
import { locatorItem, type ParentLocator } from '../../../vhdx/parent-locator.ts';
import { readRegions } from '../../../vhdx/parse-regions.ts';
import { UsedSpace } from '../../../vhdx/used-space.ts';

/** Writes are durable after a flush, and until then in any order. */
export interface WritableFile extends ByteSource {
	write(atBytes: number, bytes: Uint8Array): Promise<void>;
	/** What is added reads zero. */
	extendTo(sizeBytes: number): Promise<void>;
	flush(): Promise<void>;
}

/**
 * Writes into a VHDX in its place, without its log: new blocks at the end of the file, and an order in which each step leaves
 * a file that is whole. Data is durable before the sector bitmap says that it is there, the bitmap before the table names it,
 * and a block's bits are cleared before the table names the block. So a process that is killed at any point leaves what was
 * flushed before, of a write under way some sectors or none, and perhaps space that nothing refers to. Real Hyper-V uses the
 * log: [MS-VHDX] 2.3.
 */
export class VhdxWriter {
	readonly #file: WritableFile;
	#vhdx: Vhdx;

	private constructor(file: WritableFile, vhdx: Vhdx) {
		this.#file = file;
		this.#vhdx = vhdx;
	}

	/** Throws `source_invalid` as {@link openVhdx} does. */
	static async open(file: WritableFile): Promise<VhdxWriter> {
		return new VhdxWriter(file, await openVhdx(file));
	}

	get vhdx(): Vhdx {
		return this.#vhdx;
	}

	/** Whole sectors, which must lie within the disk; durable when it returns. */
	async write(atBytes: number, bytes: Uint8Array): Promise<void> {
		const { blockBytes } = this.#vhdx.geometry;
		for (let done = 0; done < bytes.length; ) {
			const at = atBytes + done;
			const block = Math.floor(at / blockBytes);
			const piece = bytes.subarray(done, done + (block + 1) * blockBytes - at);
			await this.#writeToBlock(block, at - block * blockBytes, piece);
			done += piece.length;
		}
	}

	/** Another GUID, as whenever content changes: [MS-VHDX] 2.2.2. A child made before does not take this file for its parent. */
	async setDataWriteGuid(guid: string): Promise<void> {
		const read = await Promise.all(
			headersAtBytes.map(async at => new FieldReader(await this.#file.read(at, headerBytes))),
		);
		const [one = 0n, other = 0n] = read.map(fields => fields.u64(8));
		const [newer, olderAt] = one > other ? [read[0], headersAtBytes[1]] : [read[1], headersAtBytes[0]];
		const fields = new Fields(headerBytes);
		fields.bytes.set(newer?.bytes ?? []);
		fields
			.u64(8, Number(one > other ? one : other) + 1)
			.guid(32, guid)
			.u32(4, 0);
		await this.#file.write(olderAt, fields.u32(4, crc32c(fields.bytes)).bytes);
		await this.#file.flush();
		this.#vhdx = { ...this.#vhdx, ids: { ...this.#vhdx.ids, dataWriteGuid: guid } };
	}

	/**
	 * The new locator lies behind what the metadata region holds; then the table's entry points there. Both are one page of
	 * the file, each written at once.
	 */
	async setParent(parent: ParentLocator): Promise<void> {
		const { metadata } = await readRegions(this.#file, new UsedSpace());
		const table = new FieldReader(await this.#file.read(metadata.atBytes, metadataTableBytes));
		let entryAt: number | undefined;
		const taken: { atBytes: number; lengthBytes: number }[] = [];
		for (let index = 0; index < table.u16(10); index++) {
			const at = 32 + index * 32;
			if (table.guid(at) === items.parentLocator) entryAt = at;
			else taken.push({ atBytes: table.u32(at + 16), lengthBytes: table.u32(at + 20) });
		}
		if (entryAt === undefined) throw new RangeError(`${this.#file.name} has no parent locator`);
		const item = locatorItem(parent);
		const oldAt = table.u32(entryAt + 16);
		const others = Math.max(...taken.map(({ atBytes, lengthBytes }) => atBytes + lengthBytes));
		// Two places in turn, neither of which the other overlaps.
		const halfBytes = (metadata.lengthBytes - metadataTableBytes) / 4;
		const firstAt = metadataTableBytes + Math.ceil((others - metadataTableBytes + 1) / halfBytes) * halfBytes;
		const newAt = oldAt === firstAt ? firstAt + halfBytes : firstAt;
		await this.#file.write(metadata.atBytes + newAt, item);
		await this.#file.flush();
		const entry = new Fields(32).guid(0, items.parentLocator).u32(16, newAt).u32(20, item.length);
		entry.u32(24, itemFlags.isRequired);
		await this.#file.write(metadata.atBytes + entryAt, entry.bytes);
		await this.#file.flush();
		this.#vhdx = { ...this.#vhdx, parent };
	}

	async #writeToBlock(block: number, within: number, bytes: Uint8Array): Promise<void> {
		const { geometry, type } = this.#vhdx;
		const entryAt = this.#entryAt(entryOfBlock(geometry, block));
		const { state, atBytes } = await this.#entry(entryAt);
		if (state === blockStates.fullyPresent || state === blockStates.partiallyPresent) {
			await this.#file.write(atBytes + within, bytes);
			await this.#file.flush();
			if (state === blockStates.partiallyPresent) await this.#mark(block, within, bytes.length, { alone: false });
			return;
		}
		const newAt = await this.#newSpace(geometry.blockBytes);
		await this.#file.write(newAt + within, bytes);
		await this.#file.flush();
		// What a differencing disk says to be zeros is no parent's: the block is then its own as a whole.
		const isPartial = type === 'differencing' && state === blockStates.notPresent;
		if (isPartial) await this.#mark(block, within, bytes.length, { alone: true });
		const newState = isPartial ? blockStates.partiallyPresent : blockStates.fullyPresent;
		await this.#setEntry(entryAt, newAt + newState);
	}

	/** `alone`: the block's other sectors are the parent's, whatever an attempt that died has left in the bitmap. */
	async #mark(block: number, within: number, lengthBytes: number, { alone }: { alone: boolean }): Promise<void> {
		const { geometry } = this.#vhdx;
		const ofChunk = blocksOfChunk(geometry);
		const sectorsOfBlock = geometry.blockBytes / geometry.logicalSectorBytes;
		const atBytes = (await this.#bitmap(Math.floor(block / ofChunk))) + ((block % ofChunk) * sectorsOfBlock) / 8;
		const bits = alone ? new Uint8Array(sectorsOfBlock / 8) : await this.#file.read(atBytes, sectorsOfBlock / 8);
		const first = within / geometry.logicalSectorBytes;
		for (let sector = first; sector < first + lengthBytes / geometry.logicalSectorBytes; sector++)
			bits[sector >> 3] = (bits[sector >> 3] ?? 0) | (1 << (sector & 7));
		await this.#file.write(atBytes, bits);
		await this.#file.flush();
	}

	async #bitmap(chunk: number): Promise<number> {
		const entryAt = this.#entryAt(entryOfBitmap(this.#vhdx.geometry, chunk));
		const { state, atBytes } = await this.#entry(entryAt);
		if (state === bitmapStates.present) return atBytes;
		const newAt = await this.#newSpace(bitmapBlockBytes);
		await this.#setEntry(entryAt, newAt + bitmapStates.present);
		return newAt;
	}

	async #newSpace(lengthBytes: number): Promise<number> {
		const at = Math.ceil(this.#file.sizeBytes / mebibyte) * mebibyte;
		await this.#file.extendTo(at + lengthBytes);
		await this.#file.flush();
		return at;
	}

	#entryAt(index: number): number {
		return this.#vhdx.blockTable.atBytes + index * 8;
	}

	async #entry(atBytes: number): Promise<{ state: number; atBytes: number }> {
		const value = Number(new FieldReader(await this.#file.read(atBytes, 8)).u64(0));
		return { state: value % 8, atBytes: value - (value % mebibyte) };
	}

	async #setEntry(atBytes: number, value: number): Promise<void> {
		await this.#file.write(atBytes, new Fields(8).u64(0, value).bytes);
		await this.#file.flush();
	}
}
