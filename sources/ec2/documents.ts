/** What of this source crosses processes and lies in manifests: ids alone. */
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import type { BeginOrder, Since, SourceMoment } from '../machine/documents.ts';
import type { SnapshotSet } from './marks.ts';

const volumeIdSchema = z.string().regex(/^vol-[0-9a-f]{8,32}$/);
export const snapshotIdSchema = z.string().regex(/^snap-[0-9a-f]{8,32}$/);

const checkpointSchema = z.strictObject({
	disks: z
		.array(z.strictObject({ key: volumeIdSchema, snapshot: snapshotIdSchema }))
		.min(1)
		.max(64),
});

const stateSchema = z.strictObject({
	set: z.uuid(),
	disks: z
		.array(z.strictObject({ key: volumeIdSchema, snapshot: snapshotIdSchema, since: snapshotIdSchema.nullable() }))
		.min(1)
		.max(64),
});
type DiskState = z.infer<typeof stateSchema>['disks'][number];

/** By the keys of disks the snapshots that were kept; none for a checkpoint that is not of this kind, or of a version that is not known. */
export function keptSnapshots(since: Since | null): ReadonlyMap<string, string> {
	const parsed = checkpointSchema.safeParse(since?.checkpoint);
	return new Map(parsed.success ? parsed.data.disks.map(({ key, snapshot }) => [key, snapshot]) : []);
}

/** `source_invalid` for a moment that was not written by this source. */
export function disksOf({ state }: Pick<SourceMoment, 'state'>): DiskState[] {
	const parsed = stateSchema.safeParse(state);
	if (parsed.success) return parsed.data.disks;
	throw new RouseError('source_invalid', 'the moment is none of an EC2 instance', { hint: 'begin the import anew' });
}

export function momentOf(
	{ tag, owner, identity, described, plan, since }: BeginOrder,
	{ set, snapshots, takenAt }: SnapshotSet,
): SourceMoment {
	const kept = keptSnapshots(since);
	const whole = new Set(plan.disks.filter(({ reads }) => reads === 'all').map(({ key }) => key));
	const made = new Map(snapshots.map(({ volumeId, snapshotId }) => [volumeId, snapshotId]));
	const disks = described.disks.map(({ key, sizeBytes }) => ({ key, sizeBytes, snapshot: made.get(key) ?? '' }));
	return {
		tag,
		owner,
		identity,
		moment: set,
		takenAt,
		holdUntil: null,
		together: true,
		disks: disks.map(({ key, sizeBytes }) => ({ key, sizeBytes, consistency: 'crash' })),
		checkpoint: { disks: disks.map(({ key, snapshot }) => ({ key, snapshot })) },
		state: {
			set,
			disks: disks.map(({ key, snapshot }) => ({
				key,
				snapshot,
				since: whole.has(key) ? null : (kept.get(key) ?? null),
			})),
		},
	};
}
