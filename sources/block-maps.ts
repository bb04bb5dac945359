/**
 * Whether an image that has one map of blocks has all that it points to: VDI (Oracle VM VirtualBox, VDICore.h) and dynamic VHD
 * ("Virtual Hard Disk Image Format Specification" 1.0, "Block Allocation Table and Data Blocks").
 */
import type { OpenedFile } from './opened-file.ts';
import { damaged, mustLieInside, Reach, tablePieces, type TableReading, wholeBytesAt } from './reach.ts';
import { dynamicDisk, fixedDisk, vhdFooter } from './vhd-footer.ts';
import { exactBytes } from '../model/format-bytes.ts';

const sectorBytes = 512;
/** VDI: a block that there is not, or that is all zeros. */
const firstUnallocated = 0xffff_fffe;

export async function checkVdiMap(file: OpenedFile, { signal, missing, seen }: TableReading): Promise<void> {
	const header = await wholeBytesAt(file, 'header', 0, 512);
	const [mapAt, dataAt] = [header.readUInt32LE(340), header.readUInt32LE(344)];
	const virtualBytes = Number(header.readBigUInt64LE(368));
	const [blockBytes, count] = [header.readUInt32LE(376), header.readUInt32LE(384)];
	const reach = new Reach(file, missing);
	const map = { what: 'block map', atBytes: mapAt, count, entryBytes: 4 };
	for await (const { firstEntry, bytes } of tablePieces(file, map, signal)) {
		seen?.(firstEntry * blockBytes, virtualBytes);
		for (let at = 0; at < bytes.length; at += 4) {
			const block = bytes.readUInt32LE(at);
			if (block >= firstUnallocated) continue;
			const onDisk = (firstEntry + at / 4) * blockBytes;
			const wanted = Math.min(blockBytes, virtualBytes - onDisk);
			reach.add('block', dataAt + block * blockBytes, wanted, { atBytes: onDisk, lengthBytes: wanted });
		}
	}
	await reach.mustLieInside();
}

export async function checkVhdMap(file: OpenedFile, { signal, seen }: Omit<TableReading, 'missing'>): Promise<void> {
	const footer = await vhdFooter(file);
	if (footer === undefined) throw damaged(file, 'it has no footer');
	const { sizeBytes, diskType, headerAt, copy } = footer;
	// QEMU goes by the copy. One of a fixed disk is none of the file's, but lies on the disk.
	if (copy && (copy.diskType !== diskType || copy.sizeBytes !== sizeBytes || copy.headerAt !== headerAt))
		throw damaged(
			file,
			`its footer says type ${diskType} and ${exactBytes(sizeBytes)}, and the copy at its beginning type ${copy.diskType} and ${exactBytes(copy.sizeBytes)}`,
		);
	if (diskType === fixedDisk) return await mustLieInside(file, 'disk', 0, sizeBytes);
	if (diskType !== dynamicDisk) throw damaged(file, `its disk is of type ${diskType}, which is not known`);
	const header = await wholeBytesAt(file, 'header', headerAt, 1024);
	if (header.toString('latin1', 0, 8) !== 'cxsparse') throw damaged(file, `it has no header at offset ${headerAt}`);
	const blockBytes = header.readUInt32BE(32);
	if (blockBytes === 0 || blockBytes % sectorBytes !== 0)
		throw damaged(file, `its blocks have ${exactBytes(blockBytes)}`);
	const bitmapBytes = Math.ceil(blockBytes / sectorBytes / 8 / sectorBytes) * sectorBytes;
	const count = Math.ceil(sizeBytes / blockBytes);
	const entries = header.readUInt32BE(28);
	if (count > entries)
		throw damaged(
			file,
			`its block table has ${entries} entries, and a disk of ${exactBytes(sizeBytes)} needs ${count}`,
		);
	const reach = new Reach(file);
	const table = { what: 'block table', atBytes: Number(header.readBigUInt64BE(16)), count, entryBytes: 4 };
	for await (const { firstEntry, bytes } of tablePieces(file, table, signal)) {
		seen?.(firstEntry * blockBytes, sizeBytes);
		for (let at = 0; at < bytes.length; at += 4) {
			const sector = bytes.readUInt32BE(at);
			if (sector === 0xffff_ffff) continue;
			const wanted = Math.min(blockBytes, sizeBytes - (firstEntry + at / 4) * blockBytes);
			reach.add('block', sector * sectorBytes, bitmapBytes + wanted);
		}
	}
	await reach.mustLieInside();
}
