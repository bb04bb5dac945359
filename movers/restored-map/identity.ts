import { stat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { RouseError } from '../../model/errors.ts';
import type { DiskImage } from '../../model/chunk.ts';

/** A target file, told from another one of the same name. */
export interface TargetIdentity {
	inode: bigint;
	/** File systems give the number of a removed file to the next one they make: the birth time tells the two apart. */
	bornNs: bigint;
}

/** What a restored map belongs to: this disk content, of this recovery, in this file. */
export interface RestoredMapIdentity {
	recoveryId: string;
	contentDigest: string;
	sizeBytes: number;
	chunkSizeBytes: number;
	target: TargetIdentity;
}

export function restoredMapIdentity(recoveryId: string, image: DiskImage, target: TargetIdentity): RestoredMapIdentity {
	const { contentDigest, sizeBytes, chunkSizeBytes } = image;
	return { recoveryId, contentDigest, sizeBytes, chunkSizeBytes, target };
}

/**
 * The target's identity, by path or by an open handle (whose identity cannot change under the caller). A target that is
 * not there is `identity_conflict`: the file that the map tells of is gone.
 */
export async function targetIdentity(
	target: string | { stat(options: { bigint: true }): Promise<BigIntStats> },
): Promise<TargetIdentity> {
	if (typeof target !== 'string') return identityOf(await target.stat({ bigint: true }));
	try {
		return identityOf(await stat(target, { bigint: true }));
	} catch (cause) {
		throw new RouseError('identity_conflict', `target ${target} cannot be looked at`, { cause });
	}
}

function identityOf(stats: BigIntStats): TargetIdentity {
	return { inode: stats.ino, bornNs: stats.birthtimeNs };
}

/** Throws `identity_conflict`, saying what differs first. */
export function expectSameIdentity(path: string, found: RestoredMapIdentity, expected: RestoredMapIdentity): void {
	const pairs: [string, unknown, unknown][] = [
		['recovery', found.recoveryId, expected.recoveryId],
		['disk content', found.contentDigest, expected.contentDigest],
		['size', found.sizeBytes, expected.sizeBytes],
		['chunk size', found.chunkSizeBytes, expected.chunkSizeBytes],
		["target's inode", found.target.inode, expected.target.inode],
		["target's birth time", found.target.bornNs, expected.target.bornNs],
	];
	for (const [what, is, wanted] of pairs)
		if (is !== wanted)
			throw new RouseError(
				'identity_conflict',
				`restored map ${path} is of another ${what}: ${String(is)}, not ${String(wanted)}`,
			);
}
