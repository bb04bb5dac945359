import { contentOf, type Run } from '../file-node.ts';
import { unreadable, type Volume } from '../volume.ts';
import { type Attribute, attributesIn, attributeTypes } from './attributes.ts';
import type { NtfsGeometry } from './boot-sector.ts';
import { protectedBlock } from './protected-block.ts';

/** A file of NTFS: all its attributes, whichever records they lie in. */
export interface FileRecord {
	isDirectory: boolean;
	attributes: Attribute[];
}

const inUse = 0x1;
const directory = 0x2;
/** Records that one file has beside its first; one of a terabyte in pieces has some hundreds. */
const mostRecords = 256;
const mostListBytes = 2 ** 18;

/** The master file table, by which records are found. */
export class MasterTable {
	readonly #volume: Volume;
	readonly #geometry: NtfsGeometry;
	#runs: readonly Run[];

	private constructor(volume: Volume, geometry: NtfsGeometry) {
		this.#volume = volume;
		this.#geometry = geometry;
		const { tableAtBytes, recordBytes } = geometry;
		this.#runs = [{ fileAtBytes: 0, volumeAtBytes: tableAtBytes, lengthBytes: recordBytes }];
	}

	/** The first record is the table's own: it says where the others are, in parts that are found by the parts before. */
	static async open(volume: Volume, geometry: NtfsGeometry): Promise<MasterTable> {
		const table = new MasterTable(volume, geometry);
		const first = await table.#one(0);
		table.#runs = runsOf(dataOf(first.attributes));
		table.#runs = runsOf(dataOf((await table.record(0)).attributes));
		return table;
	}

	/** Throws `source_invalid` for one that is not in use. */
	async record(number: number): Promise<FileRecord> {
		const first = await this.#one(number);
		const list = first.attributes.find(({ type }) => type === attributeTypes.list);
		if (list === undefined) return first;
		const attributes = [...first.attributes];
		const numbers = new Set(numbersIn(await this.bytesOf([list], mostListBytes)));
		numbers.delete(number);
		if (numbers.size > mostRecords) throw unreadable(`a file of NTFS lies in more than ${mostRecords} records`);
		for (const other of numbers) attributes.push(...(await this.#one(other)).attributes);
		return { ...first, attributes };
	}

	/** The value of an attribute by its parts. */
	async bytesOf(parts: readonly Attribute[], mostBytes: number): Promise<Buffer> {
		const sizeBytes = sizeOf(parts);
		if (!(sizeBytes <= mostBytes)) throw unreadable('an attribute of NTFS is larger than such a one needs');
		const pieces: Buffer[] = [];
		for await (const piece of this.contentOf(parts, 0)) pieces.push(piece);
		return Buffer.concat(pieces);
	}

	async *contentOf(parts: readonly Attribute[], fromBytes: number): AsyncGenerator<Buffer> {
		const [first] = parts;
		if (first === undefined) return;
		if (Buffer.isBuffer(first.value)) {
			if (fromBytes < first.value.length) yield first.value.subarray(fromBytes);
			return;
		}
		const sizeBytes = sizeOf(parts);
		if (Number.isNaN(sizeBytes)) throw unreadable('a file of NTFS is compressed or encrypted, and is not read');
		// What was never written reads as zeros, whatever lies there.
		const written = Math.min(sizeBytes, first.value.initializedBytes);
		yield* contentOf(this.#volume, written, inOrder(runsOf(parts)), fromBytes);
		yield* contentOf(this.#volume, sizeBytes, inOrder([]), Math.max(written, fromBytes));
	}

	async #one(number: number): Promise<FileRecord> {
		const { recordBytes, clusterBytes } = this.#geometry;
		const at = number * recordBytes;
		const pieces: Buffer[] = [];
		const end = at + recordBytes;
		// Records are larger than clusters where these are small.
		for await (const piece of contentOf(this.#volume, end, inOrder(this.#runs), at)) pieces.push(piece);
		const record = protectedBlock(Buffer.concat(pieces), 'FILE');
		const flags = record.readUInt16LE(0x16);
		if ((flags & inUse) === 0) throw unreadable(`record ${number} of NTFS is not in use`);
		return { isDirectory: (flags & directory) !== 0, attributes: [...attributesIn(record, clusterBytes)] };
	}
}

export function sizeOf([first]: readonly Attribute[]): number {
	if (first === undefined) return 0;
	return Buffer.isBuffer(first.value) ? first.value.length : first.value.sizeBytes;
}

/** Of the file itself, which has no name; others are streams beside it. */
export function dataOf(attributes: readonly Attribute[]): Attribute[] {
	return partsOf(attributes, attributeTypes.data, '');
}

export function partsOf(attributes: readonly Attribute[], wanted: number, called: string): Attribute[] {
	return attributes
		.filter(({ type, name }) => type === wanted && name === called)
		.toSorted((a, b) => a.firstCluster - b.firstCluster);
}

function runsOf(parts: readonly Attribute[]): Run[] {
	return parts.flatMap(({ value }) => (Buffer.isBuffer(value) ? [] : value.runs));
}

async function* inOrder(runs: readonly Run[]): AsyncGenerator<Run> {
	yield* runs;
}

/** https://flatcap.github.io/linux-ntfs/ntfs/attributes/attribute_list.html: the records that attributes lie in. */
function* numbersIn(list: Buffer): Generator<number> {
	for (let at = 0; at + 24 <= list.length; ) {
		yield list.readUIntLE(at + 16, 6);
		const length = list.readUInt16LE(at + 4);
		if (length < 24) throw unreadable('a list of attributes of NTFS is damaged');
		at += length;
	}
}
