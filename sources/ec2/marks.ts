import * as z from 'zod';
import { type Claim, ownerSchema } from '../machine/documents.ts';
import { type Ec2Snapshot, volumeOfCopies } from './cloud.ts';

/**
 * The tags that every snapshot of ours has from its first moment on. Their names are words of policies (docs/sources.md), so they have
 * no character that means something there.
 */
export const tagNames = { tag: 'rouse-import', owner: 'rouse-owner', set: 'rouse-set', disks: 'rouse-disks' } as const;

/** Whose a snapshot is, and by which call it was made. */
export interface Mark {
	tag: string;
	owner: string;
	/** Random, of one call. */
	set: string;
	/** How many snapshots that call was to make. */
	disks: number;
}

const markSchema = z.object({
	tag: z.uuid(),
	owner: ownerSchema,
	set: z.uuid(),
	disks: z
		.string()
		.regex(/^[1-9]\d?$/)
		.transform(Number),
});

export function tagsOf({ tag, owner, set, disks }: Mark): Record<string, string> {
	return {
		[tagNames.tag]: tag,
		[tagNames.owner]: owner,
		[tagNames.set]: set,
		[tagNames.disks]: String(disks),
		Name: `rouse ${owner.split('/')[1] ?? ''}`,
	};
}

/** Undefined for what is not ours. A copy may have been given all tags, but whoever made it means to keep it. */
export function markOf({ tags, volumeId }: Ec2Snapshot): Mark | undefined {
	if (volumeId === volumeOfCopies) return undefined;
	const said = Object.fromEntries(Object.entries(tagNames).map(([member, name]) => [member, tags[name]]));
	const parsed = markSchema.safeParse(said);
	return parsed.success ? parsed.data : undefined;
}

/** One state of all volumes of a machine, by one call. */
export interface SnapshotSet extends Mark {
	snapshots: readonly Ec2Snapshot[];
	/** Of the first of them. */
	takenAt: string;
	/** Every snapshot is there, and none has failed. */
	isComplete: boolean;
}

/** What carries this claim, the earliest first. Whatever a query has brought is looked at once more: it is deleted by this. */
export function setsOf(snapshots: readonly Ec2Snapshot[], { tag, owner }: Pick<Claim, 'tag' | 'owner'>): SnapshotSet[] {
	const sets = new Map<string, { mark: Mark; snapshots: Ec2Snapshot[] }>();
	for (const snapshot of snapshots) {
		const mark = markOf(snapshot);
		if (mark === undefined || mark.tag !== tag || mark.owner !== owner) continue;
		const known = sets.get(mark.set);
		if (known === undefined) sets.set(mark.set, { mark, snapshots: [snapshot] });
		else known.snapshots.push(snapshot);
	}
	return [...sets.values()]
		.map(({ mark, snapshots: of }) => makeSet(mark, of))
		.toSorted((a, b) => compare(a.takenAt, b.takenAt) || compare(a.set, b.set));
}

export function makeSet(mark: Mark, snapshots: readonly Ec2Snapshot[]): SnapshotSet {
	const [takenAt = ''] = snapshots.map(({ startedAt }) => new Date(startedAt).toISOString()).toSorted();
	const isComplete = snapshots.length === mark.disks && snapshots.every(({ state }) => state !== 'error');
	return { ...mark, snapshots, takenAt, isComplete };
}

function compare(a: string, b: string): number {
	if (a === b) return 0;
	return a < b ? -1 : 1;
}
