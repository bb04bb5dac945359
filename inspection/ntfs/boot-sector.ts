import { unreadable, type Volume } from '../volume.ts';

export interface NtfsGeometry {
	clusterBytes: number;
	/** Where the first record of the master file table lies. */
	tableAtBytes: number;
	recordBytes: number;
	/** Of blocks of directories. */
	indexBytes: number;
}

/** "[MS-FSA]" has no layout: https://flatcap.github.io/linux-ntfs/ntfs/files/boot.html, and fs/ntfs3/ntfs.h of Linux. */
export async function readBootSector(volume: Volume): Promise<NtfsGeometry | undefined> {
	if (volume.sizeBytes < 512) return undefined;
	const bytes = await volume.read(0, 512);
	if (bytes.toString('latin1', 3, 11) !== 'NTFS    ') return undefined;
	const sectorBytes = bytes.readUInt16LE(0x0b);
	const perCluster = bytes.readUInt8(0x0d);
	// Above 64 KiB it is a power of two with a minus before it.
	const clusterBytes = sectorBytes * (perCluster > 0x80 ? 2 ** (256 - perCluster) : perCluster);
	const sizeOf = (at: number) => {
		const clusters = bytes.readInt8(at);
		return clusters > 0 ? clusters * clusterBytes : 2 ** -clusters;
	};
	const geometry = {
		clusterBytes,
		tableAtBytes: Number(bytes.readBigUInt64LE(0x30)) * clusterBytes,
		recordBytes: sizeOf(0x40),
		indexBytes: sizeOf(0x44),
	};
	const isPower = (value: number, least: number, most: number) =>
		value >= least && value <= most && Number.isInteger(Math.log2(value));
	if (
		!isPower(sectorBytes, 256, 4096) ||
		!isPower(clusterBytes, 256, 2 * 2 ** 20) ||
		!isPower(geometry.recordBytes, 512, 4096) ||
		!isPower(geometry.indexBytes, 512, 65_536)
	)
		throw unreadable('NTFS whose boot sector has impossible measures');
	return geometry;
}
