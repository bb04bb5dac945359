/** Where the machine of a restore point came from, as `facts.source` of its manifest keeps it. */
import * as z from 'zod';
import { smallJsonSchema } from './small-json.ts';

/**
 * What a guest finds in a moment of its disks. `application`: all that its programs meant to keep; `file-system`: file systems
 * that were told to be still; `crash`: as after a loss of power; `none`: pieces of different times, which may not fit together.
 */
export const consistencySchema = z.enum(['application', 'file-system', 'crash', 'none']);
export type Consistency = z.infer<typeof consistencySchema>;

/** The best first. */
const order: readonly Consistency[] = consistencySchema.options;

/** Of a machine: its weakest disk's, and none at all when its disks are not of one time. */
export function machineConsistency(disks: readonly { consistency: Consistency }[], together: boolean): Consistency {
	if (!together && disks.length > 1) return 'none';
	return order[Math.max(...disks.map(({ consistency }) => order.indexOf(consistency)))] ?? 'none';
}

export const sourceKindSchema = z.string().regex(/^[a-z0-9-]{1,20}$/, 'a kind of source, as ec2 or ssh');

/** Names for people and programs: nothing that a terminal would obey. */
export const printable = (most: number) => z.string().regex(new RegExp(`^\\P{C}{1,${most}}$`, 'u'));

/** Names the storage that a disk lies on (a volume's id), not where it is attached; one within its machine. */
export const diskKeySchema = printable(200);

/** What a machine is to its platform, for as long as it is there: an instance's id, a UUID. */
export const identitySchema = printable(200);

export const readsSchema = z.enum(['changes', 'all']);

/** What is not imported, and why. */
export const leftOutSchema = z.array(z.object({ what: printable(100), why: printable(200) })).max(32);

/** Further names on the platform: region, zone, instance. */
export const idsSchema = z
	.record(z.string().regex(/^[a-zA-Z0-9-]{1,40}$/), printable(200))
	.refine(ids => Object.keys(ids).length <= 16, 'at most 16 ids');

export const mostCheckpointCharacters = 16 * 1024;
export const checkpointSchema = smallJsonSchema(mostCheckpointCharacters);

const diskFactsSchema = z.object({
	key: diskKeySchema,
	sizeBytes: z.int().min(1),
	consistency: consistencySchema,
	/** What was asked of the source: what had changed since the base, or everything, and then why. */
	reads: readsSchema,
	why: printable(200).nullable(),
});

function haveKeysOfTheirOwn(disks: readonly { key: string }[]): boolean {
	return new Set(disks.map(({ key }) => key)).size === disks.length;
}

/** In the order of the machine; no key is there twice. */
export const uniqueDisks = <T extends z.ZodType<{ key: string }>>(disk: T) =>
	z.array(disk).min(1).max(64).refine(haveKeysOfTheirOwn, 'two disks have one key');

/** Read by programs of other versions: what is not known here is passed over. */
const sourceFactsSchema = z.object({
	kind: sourceKindSchema,
	/** Without password, query and fragment. */
	uri: printable(500),
	identity: identitySchema,
	ids: idsSchema,
	consistency: consistencySchema,
	/** Whether all disks are of one time. */
	together: z.boolean(),
	takenAt: z.iso.datetime(),
	/** One for each of the manifest's disks, in the same order. */
	disks: uniqueDisks(diskFactsSchema),
	leftOut: leftOutSchema,
	/** Members of the configuration that nobody knew and that were assumed. */
	unknown: z.array(z.string().regex(/^[a-zA-Z]{1,20}$/)).max(16),
	/** What the platform keeps so that it can tell what changes from then on; the source's own. */
	checkpoint: checkpointSchema.nullable(),
});
export type SourceFacts = z.infer<typeof sourceFactsSchema>;

/** What a manifest's facts tell of its source; undefined when they do not, or in words that are not known here. */
export function readSourceFacts(facts: Readonly<Record<string, unknown>>): SourceFacts | undefined {
	const parsed = sourceFactsSchema.safeParse(facts['source']);
	return parsed.success ? parsed.data : undefined;
}
