/** Disks as files on a volume. Who makes the volume and who serves it must mean the same files: both go by this. */
import * as z from 'zod';
import { diskBytesInVhdx, type Sectors } from '../vhdx/geometry.ts';
import { identityFileBytes } from '../vhdx/identity-header.ts';
import type { VolumeRequest } from './description.ts';

const sectorBytes = z.union([z.literal(512), z.literal(4096)]);

/** What a disk's VHDX says besides the disk's bytes. */
const diskFileSchema = z.strictObject({
	/** The same as long as the recovery lasts: what stands on a VHDX names it by them. */
	ids: z.strictObject({ fileWriteGuid: z.guid(), dataWriteGuid: z.guid(), virtualDiskId: z.guid() }),
	sectors: z.strictObject({ logicalSectorBytes: sectorBytes, physicalSectorBytes: sectorBytes }),
});
export type DiskFile = z.infer<typeof diskFileSchema>;

/** The volume on which a host finds a VHDX of each disk, for who serves it; `ensureVolume` made it in `directory`. */
export const volumeFilesSchema = z.strictObject({
	directory: z.string().regex(/^\//, 'must be an absolute path'),
	/** In the order of the disks. */
	files: z.array(diskFileSchema).min(1).max(64),
});
export type VolumeFiles = z.infer<typeof volumeFilesSchema>;

/** The name on the volume of the disk that is the `number`th, from 0. */
export function diskFileName(number: number): string {
	return `disk${number}.vhdx`;
}

/**
 * What `ensureVolume` is asked for, for disks of these sizes in their order. `input_invalid` for a disk larger than a VHDX's
 * can be (64 TiB).
 */
export function volumeRequestOf(
	ids: Pick<VolumeRequest, 'diskGuid' | 'partitionGuid'>,
	disks: readonly { sizeBytes: number; sectors: Sectors }[],
): VolumeRequest {
	const { diskGuid, partitionGuid } = ids;
	const files = disks.map(({ sizeBytes, sectors }, number) => ({
		name: diskFileName(number),
		sizeBytes: identityFileBytes({ sizeBytes: diskBytesInVhdx(sizeBytes, sectors), ...sectors }),
	}));
	return { diskGuid, partitionGuid, files };
}
