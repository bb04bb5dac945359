import { RouseError } from '../../../model/errors.ts';
import type { NbdExport } from '../../../nbd/server/export.ts';
import { extentsByPlace, type VolumeDescription } from '../../../volume/description.ts';
import { inImage } from '../../../volume/geometry.ts';
import { LayoutExport, type LayoutExportOptions } from './layout-export.ts';
import type { PrivateFile } from './private-file.ts';
import type { Segment } from './segments.ts';

export interface VolumeParts {
	volume: VolumeDescription;
	image: PrivateFile;
	/** What each file holds, by its name. */
	contents: ReadonlyMap<string, NbdExport>;
}

export type VolumeExportOptions = Pick<LayoutExportOptions, 'name' | 'description' | 'onWriteRefused'>;

/**
 * A volume: its private image, and in place of its files' extents what the files hold, which nobody writes. Throws
 * `input_invalid` when a file has another size than was described.
 */
export function volumeExport(parts: VolumeParts, options: VolumeExportOptions): LayoutExport {
	return new LayoutExport({ ...options, segments: volumeSegments(parts) });
}

function volumeSegments({ volume, image, contents }: VolumeParts): Segment[] {
	const { partition } = volume;
	const payload = new Map(volume.files.flatMap(file => payloadOf(file, contents.get(file.name))));
	const segments: Segment[] = [];
	const fromImage = (from: number, to: number) => {
		if (from < to)
			segments.push({ kind: 'file', file: image, offsetBytes: inImage(volume, from), sizeBytes: to - from });
	};
	fromImage(0, partition.offsetBytes);
	let position = partition.offsetBytes;
	for (const { offsetBytes, sizeBytes } of extentsByPlace(volume)) {
		const start = partition.offsetBytes + offsetBytes;
		fromImage(position, start);
		const segment = payload.get(offsetBytes);
		if (segment) segments.push(segment);
		position = start + sizeBytes;
	}
	const partitionEnd = partition.offsetBytes + partition.sizeBytes;
	fromImage(position, partitionEnd);
	fromImage(partitionEnd, volume.sizeBytes);
	return segments;
}

/** The parts of a file by where they lie in the partition. */
function payloadOf(
	{ name, sizeBytes, extents }: VolumeDescription['files'][number],
	disk: NbdExport | undefined,
): [number, Segment][] {
	if (disk?.sizeBytes !== sizeBytes)
		throw new RouseError(
			'input_invalid',
			`${name} has ${disk?.sizeBytes ?? 'no'} bytes, and ${sizeBytes} on the volume that was made for it`,
		);
	let at = 0;
	return extents.map(extent => {
		const segment: Segment = { kind: 'disk', disk, offsetBytes: at, sizeBytes: extent.sizeBytes };
		at += extent.sizeBytes;
		return [extent.offsetBytes, segment];
	});
}
