import { clusterBytes, type FileExtent, type VolumeRequest } from './description.ts';

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;

/** Where partitions begin since Windows Vista: sector 2048. */
export const partitionAtBytes = mebibyte;

/**
 * ntfs-3g's allocator looks through the volume in windows of 4,096 bytes of bitmap, takes the longest free run of each, and
 * does not come back for the rest (libntfs-3g/lcnalloc.c): with less room than this to lose it finds no space for a file
 * of 2 TiB on a volume that has it.
 */
const windowBytes = 4096 * 8 * clusterBytes;
/** Where such windows are cut: at the ends of the allocator's three zones, and at the mirror of the MFT in the middle. */
const cuts = 4;

/** $LogFile has 64 MiB; MFT, $Secure, $UpCase and what Windows adds are small. */
const metadataBytes = 256 * mebibyte;

export interface VolumeGeometry {
	/** Of the whole disk that is served. */
	sizeBytes: number;
	partition: FileExtent;
	/** Of the image: the partition, and behind it the disk's bytes before and after the partition. */
	imageBytes: number;
}

/** How large a volume is that these files fit on. */
export function volumeGeometry({ files }: Pick<VolumeRequest, 'files'>): VolumeGeometry {
	const payloadBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
	const roomBytes = metadataBytes + (cuts + files.length) * windowBytes;
	// A bit of $Bitmap a cluster.
	const bitmapBytes = Math.ceil(payloadBytes / clusterBytes / 8);
	const partitionBytes = Math.ceil((payloadBytes + bitmapBytes + roomBytes) / gibibyte) * gibibyte;
	const sizeBytes = partitionAtBytes + partitionBytes + mebibyte;
	return { sizeBytes, partition: { offsetBytes: partitionAtBytes, sizeBytes: partitionBytes }, imageBytes: sizeBytes };
}

/** Where in the image a byte of the disk is. NTFS tools open the image: there the partition comes first. */
export function inImage({ partition }: Pick<VolumeGeometry, 'partition'>, diskOffset: number): number {
	if (diskOffset < partition.offsetBytes) return partition.sizeBytes + diskOffset;
	const inPartition = diskOffset - partition.offsetBytes;
	return inPartition < partition.sizeBytes ? inPartition : diskOffset;
}
