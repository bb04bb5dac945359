/** What of a moment is kept so that any process can read it: numbers and names alone. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { consistencySchema, diskKeySchema } from '../../model/source-facts.ts';
import type { Claim, SourceMoment } from '../machine/documents.ts';

/** Of one moment: as many volumes of a machine are read. */
export const mostSnapshots = 64;

const digestTextSchema = z.string().regex(/^[0-9a-f]{64}$/);
const offsetSchema = z.int().min(0);

/** Where the metadata of LVM lies as it was before the snapshots. The text is not here: it stays in the ring for a while. */
const areaSchema = z.strictObject({
	disk: diskKeySchema,
	/** Of its physical volume. */
	startBytes: offsetSchema,
	atBytes: offsetSchema,
	sizeBytes: offsetSchema,
	fromBytes: offsetSchema,
	/** 0: there is none. */
	lengthBytes: offsetSchema,
	checksum: z.int().min(0).max(0xffff_ffff),
	flags: z.int().min(0).max(0xffff_ffff),
	sha256: digestTextSchema,
});
export type RecordedArea = z.infer<typeof areaSchema>;

const snapshotSchema = z.strictObject({
	group: z.string().max(127),
	/** The volume of which it is a snapshot. */
	origin: z.string().max(127),
	name: z.string().max(127),
	uuid: z.string().max(64),
});
export type RecordedSnapshot = z.infer<typeof snapshotSchema>;

export const stateSchema = z.strictObject({
	version: z.literal(1),
	/** `live`: nothing holds the disks still. */
	reads: z.enum(['snapshots', 'live']),
	snapshots: z.array(snapshotSchema).max(mostSnapshots),
	/** Up to two on each physical volume. */
	areas: z.array(areaSchema).max(128),
	/** Of each disk, how it is composed, and what is read of it as it lies there. */
	still: z.array(z.strictObject({ disk: diskKeySchema, layout: digestTextSchema, sha256: digestTextSchema })).max(64),
});
export type SshState = z.infer<typeof stateSchema>;

/** In tags of the first snapshot: the last thing that is made of a moment. */
export const recordSchema = z.strictObject({
	takenAt: z.iso.datetime(),
	together: z.boolean(),
	disks: z
		.array(z.strictObject({ key: diskKeySchema, sizeBytes: z.int().min(1), consistency: consistencySchema }))
		.min(1)
		.max(64),
	state: stateSchema,
});
export type MomentRecord = z.infer<typeof recordSchema>;

/** Nothing is kept there: what changed is told by comparing digests with the base's own bytes. */
export const checkpointSchema = z.strictObject({ version: z.literal(1), compares: z.literal('sha-256') });
const checkpoint: z.infer<typeof checkpointSchema> = { version: 1, compares: 'sha-256' };

export function momentOf({ tag, owner, identity }: Claim, record: MomentRecord): SourceMoment {
	const { takenAt, together, disks, state } = record;
	return {
		tag,
		owner,
		identity,
		moment: state.reads === 'live' ? null : momentName(tag, record),
		takenAt,
		// A snapshot lasts until it is full, which nobody knows before: it is noticed then.
		holdUntil: null,
		together,
		disks,
		checkpoint,
		state,
	};
}

/** Names the bytes: of the snapshots, and of what was read as it lies there. */
function momentName(tag: string, { state }: MomentRecord): string {
	return createHash('sha256')
		.update(JSON.stringify([tag, state.snapshots, state.areas, state.still]))
		.digest('hex');
}
