import { damaged } from './damaged.ts';

export interface NtfsGeometry {
	clusterBytes: number;
	clusters: number;
	/** Where the first cluster of $MFT is. */
	mftAtBytes: number;
	/** Of a record of the MFT. */
	recordBytes: number;
}

export const bootSectorBytes = 512;

/** Of ntfs-3g's NTFS_BOOT_SECTOR (include/ntfs-3g/layout.h) what tells where the MFT is. Throws `format_damaged`. */
export function parseBootSector(sector: Buffer, partitionBytes: number): NtfsGeometry {
	if (sector.toString('latin1', 3, 11) !== 'NTFS    ' || sector.readUInt16LE(510) !== 0xaa55)
		throw damaged('no NTFS begins here');
	const sectorBytes = sector.readUInt16LE(11);
	if (sectorBytes !== 512) throw damaged(`sectors of ${sectorBytes} bytes`);
	const clusterBytes = sectorBytes * countOrPower(sector.readUInt8(13));
	const sectors = sector.readBigUInt64LE(40);
	if (sectors === 0n || sectors * 512n > BigInt(partitionBytes)) throw damaged(`${sectors} sectors`);
	const clusters = Math.floor(Number(sectors) / (clusterBytes / sectorBytes));
	const mftCluster = sector.readBigUInt64LE(48);
	if (mftCluster >= BigInt(clusters)) throw damaged(`an MFT at cluster ${mftCluster} of ${clusters}`);
	// As a power of two when it is negative, else in clusters.
	const perRecord = sector.readInt8(64);
	const recordBytes = perRecord < 0 ? 2 ** -perRecord : perRecord * clusterBytes;
	if (recordBytes !== 1024 && recordBytes !== 4096) throw damaged(`records of ${recordBytes} bytes`);
	return { clusterBytes, clusters, mftAtBytes: Number(mftCluster) * clusterBytes, recordBytes };
}

/** Sectors of a cluster: above 128 the value is a negative power of two. */
function countOrPower(value: number): number {
	const sectors = value > 128 ? 2 ** (256 - value) : value;
	if (sectors < 1 || sectors > 4096 || !Number.isInteger(Math.log2(sectors)))
		throw damaged(`clusters of ${value} sectors`);
	return sectors;
}
