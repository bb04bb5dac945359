import { unreadable } from '../volume.ts';
import { attributeTypes } from './attributes.ts';
import { protectedBlock } from './protected-block.ts';
import { type FileRecord, type MasterTable, partsOf } from './record.ts';

export interface Name {
	name: string;
	record: number;
}

/** Of directories, by names. */
const index = '$I30';
const mostIndexBytes = 16 * 2 ** 20;
const isLast = 0x2;
/** Names of DOS, which stand beside the others. */
const shortNames = 2;

/** https://flatcap.github.io/linux-ntfs/ntfs/attributes/index_root.html, index_allocation.html */
export async function* namesOf(
	table: MasterTable,
	{ attributes }: FileRecord,
	indexBytes: number,
): AsyncGenerator<Name> {
	const root = await table.bytesOf(partsOf(attributes, attributeTypes.indexRoot, index), mostIndexBytes);
	yield* namesIn(root, 16);
	const blocks = partsOf(attributes, attributeTypes.indexAllocation, index);
	if (blocks.length === 0) return;
	const all = await table.bytesOf(blocks, mostIndexBytes);
	const used = await table.bytesOf(partsOf(attributes, attributeTypes.bitmap, index), mostIndexBytes);
	for (let number = 0; (number + 1) * indexBytes <= all.length; number++) {
		// What lies in the others are names of before.
		if (((used[number >> 3] ?? 0) & (1 << (number & 7))) === 0) continue;
		yield* namesIn(protectedBlock(all.subarray(number * indexBytes, (number + 1) * indexBytes), 'INDX'), 24);
	}
}

/** Entries of one node, whose header says where they begin and end. */
function* namesIn(node: Buffer, headerAt: number): Generator<Name> {
	if (headerAt + 16 > node.length) throw damaged();
	const end = headerAt + node.readUInt32LE(headerAt + 4);
	if (end > node.length) throw damaged();
	for (let at = headerAt + node.readUInt32LE(headerAt); at + 16 <= end; ) {
		const length = node.readUInt16LE(at + 8);
		if ((node.readUInt32LE(at + 12) & isLast) !== 0) return;
		if (length < 16 + 0x42 || at + length > end) throw damaged();
		const key = at + 16;
		const nameEnd = key + 0x42 + node.readUInt8(key + 0x40) * 2;
		if (nameEnd > at + length) throw damaged();
		if (node.readUInt8(key + 0x41) !== shortNames)
			yield { name: node.toString('utf16le', key + 0x42, nameEnd), record: node.readUIntLE(at, 6) };
		at += length;
	}
	throw damaged();
}

function damaged() {
	return unreadable('a directory of NTFS is damaged');
}
