/** "Virtual Hard Disk Image Format Specification" 1.0 (Microsoft), "Hard Disk Footer Format". */
import { bytesAt, type OpenedFile } from './opened-file.ts';

const footerBytes = 512;
const diskTypeAt = 60;
const differencing = 4;

/** The footer at the end of the file, or else the copy of it that dynamic disks begin with; undefined when it is no VHD. */
export async function vhdFooter(file: OpenedFile): Promise<{ isDifferencing: boolean } | undefined> {
	const { size } = file.found;
	const places = size < footerBytes ? [0] : [size - footerBytes, 0];
	for (const at of places) {
		const footer = await bytesAt(file, at, footerBytes);
		if (footer.length === footerBytes && footer.toString('latin1', 0, 8) === 'conectix')
			return { isDifferencing: footer.readUInt32BE(diskTypeAt) === differencing };
	}
	return undefined;
}
