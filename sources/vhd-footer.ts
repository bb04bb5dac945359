/** "Virtual Hard Disk Image Format Specification" 1.0 (Microsoft), "Hard Disk Footer Format". */
import { bytesAt, type OpenedFile } from './opened-file.ts';

export const vhdFooterBytes = 512;
/** As Virtual PC before 2004 wrote it: "Hard Disk Footer Format". */
const oldFooterBytes = 511;
/** Disk types. */
export const fixedDisk = 2;
export const dynamicDisk = 3;
const differencing = 4;

export interface VhdFooter {
	isDifferencing: boolean;
	diskType: number;
	/** "Current size": of the disk. */
	sizeBytes: number;
	/** Where dynamic disks have their header. */
	headerAt: number;
	/** Of the copy at the beginning; undefined where there is none. */
	copy?: VhdFooter | undefined;
}

/** The footer at the end of the file, or else the copy of it that dynamic disks begin with; undefined when it is no VHD. */
export async function vhdFooter(file: OpenedFile): Promise<VhdFooter | undefined> {
	const size = file.sizeBytes;
	const places = size < vhdFooterBytes ? [0] : [size - vhdFooterBytes, 0];
	const found: VhdFooter[] = [];
	for (const at of places) {
		const footer = await bytesAt(file, at, vhdFooterBytes);
		if (footer.length !== vhdFooterBytes || footer.toString('latin1', 0, 8) !== 'conectix') continue;
		const diskType = footer.readUInt32BE(60);
		found.push({
			isDifferencing: diskType === differencing,
			diskType,
			sizeBytes: Number(footer.readBigUInt64BE(48)),
			headerAt: Number(footer.readBigUInt64BE(16)),
		});
	}
	const [footer, copy] = found;
	return footer && { ...footer, copy };
}

/** Whether a disk is followed by a footer without its last byte, which QEMU takes for a part of the disk. */
export async function hasOldFooter(file: OpenedFile): Promise<boolean> {
	const cookie = await bytesAt(file, file.sizeBytes - oldFooterBytes, 8);
	return cookie.toString('latin1') === 'conectix';
}
