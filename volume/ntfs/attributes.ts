/** Attributes of an MFT record: ATTR_RECORD and FILE_NAME_ATTR of ntfs-3g (include/ntfs-3g/layout.h). */
import { damaged } from './damaged.ts';
import type { MftRecord } from './record.ts';
import { decodeRuns, type Run } from './runs.ts';

export const attributeTypes = { list: 0x20, fileName: 0x30, data: 0x80 };
const endOfAttributes = 0xffffffff;

interface Header {
	type: number;
	/** In the record. */
	atBytes: number;
	isNamed: boolean;
	/** Compressed, encrypted, sparse. */
	flags: number;
}

export interface Resident extends Header {
	kind: 'resident';
	value: Buffer;
}

export interface NonResident extends Header {
	kind: 'nonResident';
	runs: Run[];
	allocatedBytes: number;
	dataBytes: number;
	/** What is behind it reads zero, whatever is in the clusters. */
	initializedBytes: number;
}

/** In a non-resident attribute. */
const initializedAt = 0x38;
const nonResidentBytes = 0x40;

/** Throws `format_damaged` for what does not lie in the record, and for a record that goes on in others. */
export function attributesOf(record: MftRecord, volumeClusters: number): (Resident | NonResident)[] {
	const { bytes, bytesInUse, number } = record;
	const attributes: (Resident | NonResident)[] = [];
	for (let at = bytes.readUInt16LE(20); ; ) {
		if (at % 8 !== 0 || at < 48 || at + 4 > bytesInUse) throw damaged(`record ${number}: an attribute at ${at}`);
		const type = bytes.readUInt32LE(at);
		if (type === endOfAttributes) return attributes;
		const lengthBytes = at + 24 <= bytesInUse ? bytes.readUInt32LE(at + 4) : 0;
		if (lengthBytes < 24 || lengthBytes % 8 !== 0 || at + lengthBytes > bytesInUse)
			throw damaged(`record ${number}: an attribute of ${lengthBytes} bytes at ${at}`);
		if (type === attributeTypes.list) throw damaged(`record ${number} goes on in others`);
		attributes.push(parseAttribute(bytes.subarray(at, at + lengthBytes), at, volumeClusters));
		at += lengthBytes;
	}
}

/** All bytes of the attribute count as written. Changes the record in memory. */
export function setInitialized(record: MftRecord, { atBytes, dataBytes }: NonResident): void {
	record.bytes.writeBigUInt64LE(BigInt(dataBytes), atBytes + initializedAt);
}

/** The name and the number of the directory's record; undefined for an attribute of another type. */
export function fileNameOf(attribute: Resident | NonResident): { name: string; directory: number } | undefined {
	if (attribute.type !== attributeTypes.fileName) return undefined;
	if (attribute.kind !== 'resident' || attribute.value.length < 66) throw damaged('a file name that is cut');
	const { value } = attribute;
	const end = 66 + value.readUInt8(64) * 2;
	if (end > value.length) throw damaged('a file name that is cut');
	return { name: value.toString('utf16le', 66, end), directory: value.readUIntLE(0, 6) };
}

function parseAttribute(bytes: Buffer, atBytes: number, volumeClusters: number): Resident | NonResident {
	const header: Header = {
		type: bytes.readUInt32LE(0),
		atBytes,
		isNamed: bytes.readUInt8(9) > 0,
		flags: bytes.readUInt16LE(12),
	};
	if (bytes.readUInt8(8) === 0) {
		const valueAt = bytes.readUInt16LE(20);
		const end = valueAt + bytes.readUInt32LE(16);
		if (valueAt < 24 || end > bytes.length) throw damaged(`an attribute's value from ${valueAt} to ${end}`);
		return { ...header, kind: 'resident', value: bytes.subarray(valueAt, end) };
	}
	const pairsAt = bytes.length >= nonResidentBytes ? bytes.readUInt16LE(32) : 0;
	if (pairsAt < nonResidentBytes || pairsAt >= bytes.length) throw damaged(`runs at ${pairsAt} of an attribute`);
	const runs = decodeRuns(bytes.subarray(pairsAt), volumeClusters);
	const clusters = runs.reduce((sum, run) => sum + run.clusters, 0);
	const lowest = bytes.readBigInt64LE(16);
	const highest = bytes.readBigInt64LE(24);
	if (lowest !== 0n || highest !== BigInt(clusters) - 1n)
		throw damaged(`clusters ${lowest} to ${highest} of an attribute with ${clusters}`);
	return {
		...header,
		kind: 'nonResident',
		runs,
		allocatedBytes: sizeAt(bytes, 40),
		dataBytes: sizeAt(bytes, 48),
		initializedBytes: sizeAt(bytes, initializedAt),
	};
}

function sizeAt(bytes: Buffer, at: number): number {
	const size = bytes.readBigUInt64LE(at);
	if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(`an attribute of ${size} bytes`);
	return Number(size);
}
