import * as z from 'zod';
import { isGuid } from '../model/guid.ts';

/** Clusters of the NTFS: what files are measured in. */
export const clusterBytes = 64 * 1024;

const guid = z.string().refine(text => isGuid(text) && text === text.toLowerCase(), 'must be a GUID in lower case');
const bytes = z.int().min(0);

const volumeFileSchema = z.strictObject({
	name: z.string().regex(/^disk(0|[1-9]\d?)\.vhdx$/),
	/** Whole clusters, so that no byte of it shares one with anything else. */
	sizeBytes: z.int().positive().multipleOf(clusterBytes),
});

/** What a volume is made from. Its ids are chosen, and recorded, before: a host knows disk and partition by them. */
export const volumeRequestSchema = z.strictObject({
	diskGuid: guid,
	partitionGuid: guid,
	files: z
		.array(volumeFileSchema)
		.min(1)
		.max(64)
		.refine(files => new Set(files.map(({ name }) => name)).size === files.length, 'two files have one name'),
});
export type VolumeRequest = z.infer<typeof volumeRequestSchema>;

const extentSchema = z.strictObject({ offsetBytes: bytes, sizeBytes: z.int().positive() });
/** A part of a file: where it lies in the partition. */
export type FileExtent = z.infer<typeof extentSchema>;

/** A volume that was made: where in it the files' bytes lie. All else of it is in its private image. */
export const volumeDescriptionSchema = z
	.strictObject({
		version: z.literal(0),
		diskGuid: guid,
		partitionGuid: guid,
		/** Of the whole disk that is served. */
		sizeBytes: z.int().positive(),
		partition: extentSchema,
		/** Extents in the order of the file's bytes. */
		files: z.array(volumeFileSchema.extend({ extents: z.array(extentSchema).min(1).max(1024) })).min(1),
	})
	.check(({ value, issues }) => {
		const problem = placeProblem(value);
		if (problem !== undefined) issues.push({ code: 'custom', message: problem, input: value, path: ['files'] });
	});
export type VolumeDescription = z.infer<typeof volumeDescriptionSchema>;

/** All extents of all files, by where they lie. */
export function extentsByPlace({ files }: Pick<VolumeDescription, 'files'>): FileExtent[] {
	return files.flatMap(({ extents }) => extents).toSorted((a, b) => a.offsetBytes - b.offsetBytes);
}

interface Places {
	sizeBytes: number;
	partition: FileExtent;
	files: readonly { name: string; sizeBytes: number; extents: readonly FileExtent[] }[];
}

function placeProblem({ sizeBytes, partition, files }: Places): string | undefined {
	if (partition.offsetBytes + partition.sizeBytes > sizeBytes) return 'the partition ends behind the disk';
	for (const file of files) {
		const held = file.extents.reduce((sum, extent) => sum + extent.sizeBytes, 0);
		if (held !== file.sizeBytes) return `${file.name} has ${file.sizeBytes} bytes, its extents ${held}`;
	}
	let end = 0;
	const all = files.flatMap(({ extents }) => extents).toSorted((a, b) => a.offsetBytes - b.offsetBytes);
	for (const extent of all) {
		if (extent.offsetBytes < end) return `two extents hold byte ${extent.offsetBytes}`;
		end = extent.offsetBytes + extent.sizeBytes;
	}
	return end > partition.sizeBytes ? `an extent ends at ${end}, behind the partition` : undefined;
}
