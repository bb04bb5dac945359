/** Small VHDX files, and changes of them as these writers lay them out, with checksums made right again. */
import { guidBytes } from '../../model/guid.ts';
import { headerBytes, headersAtBytes, regionTableBytes, regionTablesAtBytes } from '../../vhdx/constants.ts';
import { crc32c } from '../../vhdx/crc32c.ts';
import { differencingFile } from '../../vhdx/differencing-file.ts';
import { dynamicFile } from '../../vhdx/dynamic-file.ts';
import { Random } from './seeds/random.ts';
import { assembled, idsOf, mebibyte } from './vhdx-files.ts';

export const tableAt = 3 * mebibyte;
export const metadataAt = 2 * mebibyte;
export const firstBlockAt = 4 * mebibyte;
const random = new Random(1);
export const measures = {
	sizeBytes: 3 * mebibyte,
	blockBytes: mebibyte,
	logicalSectorBytes: 512,
	physicalSectorBytes: 4096,
} as const;
export const dynamic = assembled(
	dynamicFile({ ...measures, ids: idsOf(random), isPresent: block => block < 2 }),
	Buffer.alloc(measures.sizeBytes, 1),
);
const parent = { linkage: idsOf(random).dataWriteGuid, relativePath: '.\\base.vhdx' };
export const child = assembled(
	differencingFile({
		...measures,
		ids: idsOf(random),
		parent,
		blocks: [{ block: 0, content: { sectors: new Uint8Array(256).fill(0x0f) } }],
	}),
	Buffer.alloc(measures.sizeBytes, 1),
);

export type Change = (file: Buffer) => Buffer | void;

export function header(at: number, change: (header: Buffer) => void): Change {
	return file => checksummed(file.subarray(at, at + headerBytes), change);
}

export function bothHeaders(change: (header: Buffer) => void): Change {
	return file => {
		for (const at of headersAtBytes) header(at, change)(file);
	};
}

export function regionTable(change: (table: Buffer) => void): Change {
	return file => {
		for (const at of regionTablesAtBytes) checksummed(file.subarray(at, at + regionTableBytes), change);
	};
}

function checksummed(bytes: Buffer, change: (bytes: Buffer) => void): void {
	change(bytes);
	bytes.writeUInt32LE(0, 4);
	bytes.writeUInt32LE(crc32c(bytes), 4);
}

export function metadata(change: (table: Buffer) => void): Change {
	return file => change(file.subarray(metadataAt, metadataAt + mebibyte));
}

export function entry(index: number, value: number): Change {
	return file => {
		file.writeBigUInt64LE(BigInt(value), tableAt + index * 8);
	};
}

export function itemAt(table: Buffer, guid: string): number {
	return table.indexOf(guidBytes(guid));
}

export function itemValue(table: Buffer, guid: string): Buffer {
	return table.subarray(table.readUInt32LE(itemAt(table, guid) + 16));
}

export function changed(file: Buffer, change: Change): Buffer {
	const copy = Buffer.from(file);
	return change(copy) ?? copy;
}
