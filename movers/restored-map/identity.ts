import { RouseError } from '../../model/errors.ts';
import type { DiskImage } from '../../model/chunk.ts';

/** What a restored map belongs to: this disk content, of this recovery, in this target. */
export interface RestoredMapIdentity {
	recoveryId: string;
	contentDigest: string;
	sizeBytes: number;
	chunkSizeBytes: number;
	/** The target's own, whatever path leads to it: 1 to 64 printable characters of ASCII. */
	target: string;
}

export function restoredMapIdentity(recoveryId: string, image: DiskImage, target: string): RestoredMapIdentity {
	const { contentDigest, sizeBytes, chunkSizeBytes } = image;
	return { recoveryId, contentDigest, sizeBytes, chunkSizeBytes, target };
}

/** Throws `identity_conflict`, saying what differs first. */
export function expectSameIdentity(path: string, found: RestoredMapIdentity, expected: RestoredMapIdentity): void {
	const pairs: [string, unknown, unknown][] = [
		['recovery', found.recoveryId, expected.recoveryId],
		['disk content', found.contentDigest, expected.contentDigest],
		['size', found.sizeBytes, expected.sizeBytes],
		['chunk size', found.chunkSizeBytes, expected.chunkSizeBytes],
		['target', found.target, expected.target],
	];
	for (const [what, is, wanted] of pairs)
		if (is !== wanted)
			throw new RouseError(
				'identity_conflict',
				`restored map ${path} is of another ${what}: ${String(is)}, not ${String(wanted)}`,
			);
}
