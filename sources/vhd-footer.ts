/** "Virtual Hard Disk Image Format Specification" 1.0 (Microsoft), "Hard Disk Footer Format". */
import { bytesAt, type OpenedFile } from './opened-file.ts';

const footerBytes = 512;
/** Disk types. */
export const fixedDisk = 2;
const differencing = 4;

export interface VhdFooter {
	isDifferencing: boolean;
	diskType: number;
	/** "Current size": of the disk. */
	sizeBytes: number;
	/** Where dynamic disks have their header. */
	headerAt: number;
}

/** The footer at the end of the file, or else the copy of it that dynamic disks begin with; undefined when it is no VHD. */
export async function vhdFooter(file: OpenedFile): Promise<VhdFooter | undefined> {
	const { size } = file.found;
	const places = size < footerBytes ? [0] : [size - footerBytes, 0];
	for (const at of places) {
		const footer = await bytesAt(file, at, footerBytes);
		if (footer.length !== footerBytes || footer.toString('latin1', 0, 8) !== 'conectix') continue;
		const diskType = footer.readUInt32BE(60);
		return {
			isDifferencing: diskType === differencing,
			diskType,
			sizeBytes: Number(footer.readBigUInt64BE(48)),
			headerAt: Number(footer.readBigUInt64BE(16)),
		};
	}
	return undefined;
}
