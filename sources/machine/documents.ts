/** What of a machine source crosses processes: JSON, small and without secrets. */
import * as z from 'zod';
import { statedSpecSchema, sectorSizeSchema } from '../../model/machine.ts';
import { smallJsonSchema } from '../../model/small-json.ts';
import {
	checkpointSchema,
	consistencySchema,
	diskKeySchema,
	identitySchema,
	idsSchema,
	leftOutSchema,
	printable,
	readsSchema,
	sourceKindSchema,
	uniqueDisks,
} from '../../model/source-facts.ts';
import { plainUri } from './plain-uri.ts';

/** Temporal takes 2 MiB; a machine of 64 disks comes nowhere near. */
const mostMomentCharacters = 128 * 1024;

/** `<repository id>/<machine>/<8 digits of a digest of the identity>`: owner.ts. */
export const ownerSchema = z.string().regex(/^[0-9a-f-]{36}\/[a-z0-9][a-z0-9-]{0,39}\/[0-9a-f]{8}$/);

/** By what a moment's parts are found on a platform again: each of them carries tag and owner. */
export const claimSchema = z.object({
	/** The import's id. */
	tag: z.uuid(),
	owner: ownerSchema,
	identity: identitySchema,
});
export type Claim = z.infer<typeof claimSchema>;

const describedDiskSchema = z.strictObject({
	key: diskKeySchema,
	sizeBytes: z.int().min(1),
	/** Where it is attached, by the platform's word for it. */
	slot: printable(80).nullable(),
	serial: z.string().max(40).nullable(),
	/** Null where the platform does not tell. */
	sectors: z.strictObject({ logicalSectorBytes: sectorSizeSchema, physicalSectorBytes: sectorSizeSchema }).nullable(),
});
export type DescribedDisk = z.infer<typeof describedDiskSchema>;

/** A machine as its platform describes it. */
export const sourceMachineSchema = z.strictObject({
	kind: sourceKindSchema,
	uri: printable(500).refine(uri => plainUri(uri) === uri, 'has a password, a query or a fragment'),
	identity: identitySchema,
	/** For people. */
	name: printable(200),
	ids: idsSchema,
	/** What the platform tells of the configuration; absent is "not known". */
	config: statedSpecSchema,
	/** In the order in which the firmware tries them. */
	disks: uniqueDisks(describedDiskSchema),
	leftOut: leftOutSchema,
});
export type SourceMachine = z.infer<typeof sourceMachineSchema>;

/** What the platform kept for the next import, and the import that it was kept by. */
export const sinceSchema = z.strictObject({ tag: z.uuid(), checkpoint: checkpointSchema });
export type Since = z.infer<typeof sinceSchema>;

export const mostWarnings = 32;

export const sourcePlanSchema = z.strictObject({
	/** One for each disk of the machine, in the same order. */
	disks: uniqueDisks(
		z.strictObject({
			key: diskKeySchema,
			reads: readsSchema,
			/** Of `all`, why not the changes alone. */
			why: printable(200).nullable(),
			/** Absent where the platform cannot tell beforehand. */
			expectedBytes: z.int().min(0).optional(),
		}),
	),
	consistency: consistencySchema,
	/** What the platform will ask for it, as a sentence; null when nothing. */
	cost: printable(200).nullable(),
	/** What of it is kept on this side until it is imported, or what it means that nothing is; absent where nothing could be. */
	spool: printable(200).optional(),
	warnings: z.array(printable(300)).max(mostWarnings),
});
export type SourcePlan = z.infer<typeof sourcePlanSchema>;

/** What a source begins a moment by; fixed before, so that every attempt is the same. */
export const beginOrderSchema = claimSchema.extend({
	described: sourceMachineSchema,
	plan: sourcePlanSchema,
	since: sinceSchema.nullable(),
});
export type BeginOrder = z.infer<typeof beginOrderSchema>;

/** One state of all disks, kept by the platform until it is committed or abandoned. */
export const sourceMomentSchema = claimSchema
	.extend({
		/** Names the state: of the same name are the same bytes. Null where nothing can: then there is one attempt. */
		moment: printable(200).nullable(),
		takenAt: z.iso.datetime(),
		/** Until when the platform keeps it; null when it does not say. */
		holdUntil: z.iso.datetime().nullable(),
		/** Whether all disks are of one time. */
		together: z.boolean(),
		disks: uniqueDisks(
			z.strictObject({ key: diskKeySchema, sizeBytes: z.int().min(1), consistency: consistencySchema }),
		),
		/** Each attempt has all of it sent anew, from the first byte on, and its platform may ask money for each. */
		readAnew: z.literal(true).optional(),
		/** Kept by `commit`, so that the next import can ask what changed; null where the platform cannot tell. */
		checkpoint: checkpointSchema.nullable(),
		/** The source's own: ids and numbers. */
		state: smallJsonSchema(64 * 1024),
	})
	.refine(
		moment => JSON.stringify(moment).length <= mostMomentCharacters,
		`has more than ${mostMomentCharacters} characters as JSON`,
	);
export type SourceMoment = z.infer<typeof sourceMomentSchema>;

/** Something of ours on a platform. */
export const leftoverSchema = z.strictObject({
	tag: z.uuid(),
	owner: ownerSchema,
	what: printable(200),
	since: z.iso.datetime().nullable(),
	/** What it costs while it is there. */
	costText: printable(200).nullable(),
	canDelete: z.boolean(),
});
export type Leftover = z.infer<typeof leftoverSchema>;
