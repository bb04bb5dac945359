import type { Run } from '../file-node.ts';
import { unreadable } from '../volume.ts';

/** https://flatcap.github.io/linux-ntfs/ntfs/attributes/index.html */
export const attributeTypes = {
	list: 0x20,
	data: 0x80,
	indexRoot: 0x90,
	indexAllocation: 0xa0,
	bitmap: 0xb0,
} as const;

export interface Attribute {
	type: number;
	name: string;
	/** Of its parts, which may lie in several records, where this one begins. */
	firstCluster: number;
	/** The value itself, or where it lies. */
	value: Buffer | { sizeBytes: number; initializedBytes: number; runs: Run[] };
}

const end = 0xffff_ffff;
const compressedOrEncrypted = 0x4001;

/** Of one record. */
export function* attributesIn(record: Buffer, clusterBytes: number): Generator<Attribute> {
	for (let at = record.readUInt16LE(0x14); at + 4 <= record.length; ) {
		const type = record.readUInt32LE(at);
		if (type === end) return;
		const length = at + 24 <= record.length ? record.readUInt32LE(at + 4) : 0;
		if (length < 24 || length % 8 !== 0 || at + length > record.length) throw damaged();
		yield attributeIn(record.subarray(at, at + length), type, clusterBytes);
		at += length;
	}
}

function attributeIn(bytes: Buffer, type: number, clusterBytes: number): Attribute {
	const nameAt = bytes.readUInt16LE(10);
	const nameEnd = nameAt + bytes.readUInt8(9) * 2;
	if (nameEnd > bytes.length) throw damaged();
	const name = bytes.toString('utf16le', nameAt, nameEnd);
	if (bytes.readUInt8(8) === 0) {
		const valueAt = bytes.readUInt16LE(0x14);
		const valueEnd = valueAt + bytes.readUInt32LE(0x10);
		if (valueEnd > bytes.length) throw damaged();
		return { type, name, firstCluster: 0, value: bytes.subarray(valueAt, valueEnd) };
	}
	if (bytes.length < 0x40) throw damaged();
	const firstCluster = Number(bytes.readBigUInt64LE(0x10));
	if (type === attributeTypes.data && name === '' && (bytes.readUInt16LE(0x0c) & compressedOrEncrypted) !== 0)
		return { type, name, firstCluster, value: { sizeBytes: Number.NaN, initializedBytes: 0, runs: [] } };
	return {
		type,
		name,
		firstCluster,
		value: {
			// Only the first part of an attribute has its size.
			sizeBytes: Number(bytes.readBigUInt64LE(0x30)),
			initializedBytes: Number(bytes.readBigUInt64LE(0x38)),
			runs: [...runsIn(bytes.subarray(bytes.readUInt16LE(0x20)), firstCluster, clusterBytes)],
		},
	};
}

/** https://flatcap.github.io/linux-ntfs/ntfs/concepts/data_runs.html: lengths, and places counted from the one before. */
function* runsIn(bytes: Buffer, firstCluster: number, clusterBytes: number): Generator<Run> {
	let cluster = firstCluster;
	let place = 0;
	for (let at = 0; at < bytes.length; ) {
		const head = bytes.readUInt8(at);
		if (head === 0) return;
		const lengthBytes = head & 0xf;
		const placeBytes = head >> 4;
		if (lengthBytes < 1 || lengthBytes > 6 || placeBytes > 6 || at + 1 + lengthBytes + placeBytes > bytes.length)
			throw damaged();
		const length = bytes.readUIntLE(at + 1, lengthBytes);
		if (length === 0) throw damaged();
		if (placeBytes > 0) place += bytes.readIntLE(at + 1 + lengthBytes, placeBytes);
		yield {
			fileAtBytes: cluster * clusterBytes,
			volumeAtBytes: placeBytes === 0 ? null : place * clusterBytes,
			lengthBytes: length * clusterBytes,
		};
		cluster += length;
		at += 1 + lengthBytes + placeBytes;
	}
	throw damaged();
}

function damaged() {
	return unreadable('a record of NTFS is damaged');
}
