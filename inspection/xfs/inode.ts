import { unreadable, type Volume } from '../volume.ts';
import { blockAtBytes, type XfsGeometry } from './super-block.ts';

export interface Inode {
	/** The type's bits: inode(7), `S_IFMT`. */
	type: number;
	sizeBytes: number;
	/** What its data fork is. */
	format: 'local' | 'extents' | 'tree';
	/** How many extents its data has, in itself or in a tree. */
	extents: number;
	/** The data fork: the data itself, extents, or the root of a tree. */
	fork: Buffer;
}

const formats = new Map<number, Inode['format']>([
	[1, 'local'],
	[2, 'extents'],
	[3, 'tree'],
]);
const isRealtime = 0x1;
const hasLargeCounts = 0x10;

/** XFS Algorithms & Data Structures, "On-disk Inode". */
export async function readInode(volume: Volume, geometry: XfsGeometry, number: number): Promise<Inode> {
	const { inodeBytes, inodesPerBlockLog } = geometry;
	if (!Number.isSafeInteger(number)) throw unreadable('XFS has no inode of such a number');
	const block = blockAtBytes(geometry, Math.floor(number / 2 ** inodesPerBlockLog));
	const at = block + (number % 2 ** inodesPerBlockLog) * inodeBytes;
	// A copy: pages of the disk are kept and go.
	const bytes = Buffer.from(await volume.read(at, inodeBytes));
	if (bytes.toString('latin1', 0, 2) !== 'IN') throw unreadable(`inode ${number} of XFS is damaged`);
	const isV3 = bytes.readUInt8(4) === 3;
	const format = formats.get(bytes.readUInt8(5));
	const start = isV3 ? 176 : 100;
	const attributes = bytes.readUInt8(82) * 8;
	const end = attributes === 0 ? inodeBytes : start + attributes;
	const type = bytes.readUInt16BE(2) & 0xf000;
	if (format === undefined && (type === 0x8000 || type === 0x4000 || type === 0xa000))
		throw unreadable(`inode ${number} of XFS is damaged`);
	if (end > inodeBytes) throw unreadable(`inode ${number} of XFS is damaged`);
	if (bytes.readUInt16BE(90) & isRealtime) throw unreadable('a file of XFS lies on a real-time device');
	const large = isV3 && (bytes.readUInt32BE(124) & hasLargeCounts) !== 0;
	return {
		type,
		sizeBytes: Number(bytes.readBigUInt64BE(56)),
		format: format ?? 'local',
		extents: large ? Number(bytes.readBigUInt64BE(24)) : bytes.readUInt32BE(76),
		fork: bytes.subarray(start, end),
	};
}
