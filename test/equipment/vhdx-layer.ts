/**
 * A VHDX as a host leaves it that has written here and there: blocks in the order of their first writes, tables anywhere, and
 * whatever bytes in all that must not be looked at. By [MS-VHDX] alone, with arithmetic of its own: none of `vhdx/` but numbers.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { guidBytes } from '../../model/guid.ts';
import { items, regions, vhdxLocatorType } from '../../vhdx/constants.ts';
import { crc32c } from '../../vhdx/crc32c.ts';
import type { Random } from './seeds/random.ts';
import { guidOf } from './vhdx-files.ts';

const mebibyte = 2 ** 20;

export interface LayerMeasures {
	sizeBytes: number;
	blockBytes: number;
	sectorBytes: 512 | 4096;
}

/** Keys and values of a parent locator. */
export type Locator = Readonly<Record<string, string>>;

interface Block {
	state: number;
	/** In MiB of the file; undefined for a block that has no place. */
	atMebibyte: number | undefined;
	bytes: Buffer;
	/** Of a differencing disk: which sectors are its own. */
	own: Set<number>;
}

export class VhdxLayer {
	readonly dataWriteGuid: string;
	readonly measures: LayerMeasures;
	readonly #random: Random;
	readonly #locator: Locator | undefined;
	readonly #blocks = new Map<number, Block>();
	readonly #bitmapsAt = new Map<number, number>();
	readonly #regions: Record<'log' | 'metadata' | 'table', number>;
	readonly #tableMebibytes: number;
	#endMebibyte: number;

	constructor(random: Random, measures: LayerMeasures, locator?: Locator) {
		this.measures = measures;
		this.#random = random;
		this.#locator = locator;
		this.dataWriteGuid = guidOf(random);
		const { chunks, ofChunk } = this.#chunks();
		this.#tableMebibytes = Math.ceil((chunks * (ofChunk + 1) * 8) / mebibyte);
		const last = 2 + this.#tableMebibytes;
		this.#regions = random.pick([
			{ log: 1, metadata: 2, table: 3 },
			{ table: 1, log: last - 1, metadata: last },
			{ metadata: 1, table: 2, log: last },
		]);
		this.#endMebibyte = last + 1 + random.below(3);
	}

	/** Whole sectors. */
	write(atBytes: number, bytes: Buffer): void {
		const { blockBytes, sectorBytes } = this.measures;
		for (let done = 0; done < bytes.length; done += sectorBytes) {
			const block = this.#written(Math.floor((atBytes + done) / blockBytes));
			const inBlock = (atBytes + done) % blockBytes;
			bytes.copy(block.bytes, inBlock, done, done + sectorBytes);
			block.own.add(inBlock / sectorBytes);
			// A host may leave it at that, or not.
			if (block.state === 7 && block.own.size === blockBytes / sectorBytes && this.#random.chance(0.5)) block.state = 6;
		}
	}

	/** A whole block is given back: it reads as zeros, whatever is beneath, and whatever its place in the file still has. */
	discard(number: number, state = this.#random.pick([1, 2, 3])): void {
		const { atMebibyte, bytes = Buffer.alloc(0) } = this.#blocks.get(number) ?? {};
		this.#blocks.set(number, { state, atMebibyte, bytes, own: new Set() });
	}

	#written(number: number): Block {
		const { blockBytes } = this.measures;
		const known = this.#blocks.get(number);
		if (known && known.state >= 6) return known;
		const isPartial = known === undefined && this.#locator !== undefined;
		// What is the parent's must not be read from here.
		const bytes = Buffer.alloc(blockBytes, isPartial ? 'not the disk' : 0);
		const chunk = Math.floor(number / this.#chunks().ofChunk);
		if (isPartial && !this.#bitmapsAt.has(chunk)) this.#bitmapsAt.set(chunk, this.#take(1));
		const block = {
			state: isPartial ? 7 : 6,
			atMebibyte: this.#take(blockBytes / mebibyte),
			bytes,
			own: new Set<number>(),
		};
		this.#blocks.set(number, block);
		return block;
	}

	#take(mebibytes: number): number {
		const at = this.#endMebibyte;
		this.#endMebibyte = at + mebibytes + (this.#random.chance(0.2) ? 1 : 0);
		return at;
	}

	#chunks(): { ofChunk: number; chunks: number } {
		const { sizeBytes, blockBytes, sectorBytes } = this.measures;
		const chunkBytes = 2 ** 23 * sectorBytes;
		return { ofChunk: chunkBytes / blockBytes, chunks: Math.ceil(sizeBytes / chunkBytes) };
	}

	async save(path: string): Promise<void> {
		const file = await open(path, 'w');
		try {
			await file.truncate(this.#endMebibyte * mebibyte);
			await file.write(Buffer.from('vhdxfile'), 0, 8, 0);
			const newer = this.#random.below(2);
			for (const [index, at] of [64, 128].entries())
				await file.write(this.#header(index === newer ? 7 : 6), 0, 4096, at * 1024);
			for (const at of [192, 256]) await file.write(this.#regionTable(), 0, 65_536, at * 1024);
			const metadata = this.#metadata();
			await file.write(metadata, 0, metadata.length, this.#regions.metadata * mebibyte);
			await this.#saveBlocks(file);
		} finally {
			await file.close();
		}
	}

	async #saveBlocks(file: FileHandle): Promise<void> {
		const { ofChunk } = this.#chunks();
		const entry = async (index: number, atMebibyte: number, state: number) => {
			const value = Buffer.alloc(8);
			value.writeBigUInt64LE((BigInt(atMebibyte) << 20n) | BigInt(state));
			await file.write(value, 0, 8, this.#regions.table * mebibyte + index * 8);
		};
		for (const [number, { state, atMebibyte = 0, bytes }] of this.#blocks) {
			await entry(number + Math.floor(number / ofChunk), atMebibyte, state);
			if (bytes.length > 0) await file.write(bytes, 0, bytes.length, atMebibyte * mebibyte);
		}
		for (const [chunk, atMebibyte] of this.#bitmapsAt) {
			await entry(chunk * (ofChunk + 1) + ofChunk, atMebibyte, 6);
			await file.write(this.#bitmap(chunk * ofChunk, ofChunk), 0, mebibyte, atMebibyte * mebibyte);
		}
	}

	/** Bits of blocks that are not there in part say nothing. */
	#bitmap(firstBlock: number, count: number): Buffer {
		const bitmap = Buffer.alloc(mebibyte, this.#random.below(256));
		const ofBlock = mebibyte / count;
		for (const [number, { state, own }] of this.#blocks) {
			if (state !== 7 || number < firstBlock || number >= firstBlock + count) continue;
			const at = (number - firstBlock) * ofBlock;
			bitmap.fill(0, at, at + ofBlock);
			for (const sector of own) bitmap[at + (sector >> 3)] = (bitmap[at + (sector >> 3)] ?? 0) | (1 << (sector & 7));
		}
		return bitmap;
	}

	#header(sequenceNumber: number): Buffer {
		const header = Buffer.alloc(4096);
		header.write('head');
		header.writeBigUInt64LE(BigInt(sequenceNumber), 8);
		header.set(guidBytes(guidOf(this.#random)), 16);
		// The header that counts alone says what the disk holds now.
		header.set(guidBytes(sequenceNumber === 7 ? this.dataWriteGuid : guidOf(this.#random)), 32);
		header.writeUInt16LE(1, 66);
		header.writeUInt32LE(mebibyte, 68);
		header.writeBigUInt64LE(BigInt(this.#regions.log * mebibyte), 72);
		return checksummed(header);
	}

	#regionTable(): Buffer {
		const table = Buffer.alloc(65_536);
		table.write('regi');
		table.writeUInt32LE(2, 8);
		const { metadata, table: tableAt } = this.#regions;
		const entries = [
			{ guid: regions.metadata, at: metadata, mebibytes: 1 },
			{ guid: regions.blockTable, at: tableAt, mebibytes: this.#tableMebibytes },
		];
		for (const [index, { guid, at, mebibytes }] of entries.entries()) {
			table.set(guidBytes(guid), 16 + index * 32);
			table.writeBigUInt64LE(BigInt(at * mebibyte), 32 + index * 32);
			table.writeUInt32LE(mebibytes * mebibyte, 40 + index * 32);
			table.writeUInt32LE(1, 44 + index * 32);
		}
		return checksummed(table);
	}

	#metadata(): Buffer {
		const { sizeBytes, blockBytes, sectorBytes } = this.measures;
		const size = Buffer.alloc(8);
		size.writeBigUInt64LE(BigInt(sizeBytes));
		const all: [guid: string, value: Buffer, flags: number][] = [
			[items.virtualDiskSize, size, 6],
			[items.fileParameters, numbers(blockBytes, this.#locator ? 2 : 0), 4],
			[items.logicalSectorSize, numbers(sectorBytes), 6],
			[items.physicalSectorSize, numbers(4096), 6],
			[items.virtualDiskId, guidBuffer(guidOf(this.#random)), 6],
		];
		if (this.#locator) all.unshift([items.parentLocator, locatorItem(this.#locator), 4]);
		const metadata = Buffer.alloc(mebibyte);
		metadata.write('metadata');
		metadata.writeUInt16LE(all.length, 10);
		let at = 65_536;
		for (const [index, [guid, value, flags]] of all.entries()) {
			metadata.set(guidBytes(guid), 32 + index * 32);
			metadata.writeUInt32LE(at, 48 + index * 32);
			metadata.writeUInt32LE(value.length, 52 + index * 32);
			metadata.writeUInt32LE(flags, 56 + index * 32);
			value.copy(metadata, at);
			at += value.length + this.#random.below(9);
		}
		return metadata.subarray(0, at);
	}
}

function numbers(...values: number[]): Buffer {
	const bytes = Buffer.alloc(values.length * 4);
	for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
	return bytes;
}

function guidBuffer(guid: string): Buffer {
	return Buffer.from(guidBytes(guid));
}

function checksummed(bytes: Buffer): Buffer {
	bytes.writeUInt32LE(crc32c(bytes), 4);
	return bytes;
}

function locatorItem(locator: Locator): Buffer {
	const pairs = Object.entries(locator);
	const head = Buffer.alloc(20 + pairs.length * 12);
	head.set(guidBytes(vhdxLocatorType));
	head.writeUInt16LE(pairs.length, 18);
	const texts: Buffer[] = [];
	let at = head.length;
	for (const [index, pair] of pairs.entries())
		for (const [half, text] of pair.entries()) {
			const bytes = Buffer.from(text, 'utf16le');
			head.writeUInt32LE(at, 20 + index * 12 + half * 4);
			head.writeUInt16LE(bytes.length, 28 + index * 12 + half * 2);
			texts.push(bytes);
			at += bytes.length;
		}
	return Buffer.concat([head, ...texts]);
}
