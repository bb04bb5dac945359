/**
 * A checkpoint says by its name whose it is, and so do its bitmaps, which libvirt calls alike. Names have letters, digits,
 * `-`, `_` and `.` alone (checkpointName of libvirt's domaincheckpoint.rng).
 */
import * as z from 'zod';
import { type Claim, ownerSchema } from '../machine/documents.ts';

export interface CheckpointMark extends Pick<Claim, 'tag' | 'owner'> {
	/** Random, of one begin. */
	set: string;
}

const markSchema = z.tuple([z.literal('rouse'), z.uuid(), ownerSchema, z.uuid()]);

export function checkpointName({ tag, owner, set }: CheckpointMark): string {
	return ['rouse', tag, owner.replaceAll('/', '_'), set].join('.');
}

/** Undefined for one that is not ours. */
export function parseCheckpointName(name: string): CheckpointMark | undefined {
	const parsed = markSchema.safeParse(name.split('.').map(part => part.replaceAll('_', '/')));
	if (!parsed.success) return undefined;
	const [, tag, owner, set] = parsed.data;
	return { tag, owner, set };
}
