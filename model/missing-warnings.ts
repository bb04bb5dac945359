import type { DiskImage } from './chunk.ts';
import { formatBytes } from './format-bytes.ts';

type Lacking = Pick<DiskImage, 'sizeBytes' | 'missing'>;

/** Of a disk of which only a part was there, how much is missing and where that begins; undefined for a whole one. */
export function missingWarning(name: string, { sizeBytes, missing }: Lacking): string | undefined {
	if (missing === undefined) return undefined;
	const { atBytes, lengthBytes } = missing;
	return `${name} is only a part: of ${formatBytes(sizeBytes)} ${formatBytes(lengthBytes)} are missing, from offset ${atBytes} on, and read as zeros`;
}

export function missingWarnings(disks: readonly Lacking[]): string[] {
	return disks.map((disk, index) => missingWarning(`disk${index}`, disk)).filter(warning => warning !== undefined);
}
