import * as z from 'zod';
import { digestSchema } from '../../model/chunk.ts';
import { machineNameSchema, statedSpecSchema } from '../../model/machine.ts';
import { pointTimeSchema } from '../../model/names.ts';
import { machineConsistency, printable, readsSchema, type SourceFacts } from '../../model/source-facts.ts';
import { beginOrderSchema, type SourceMoment } from './documents.ts';

/** The restore point that unchanged parts are taken from. */
const orderedBaseSchema = z.strictObject({
	restorePoint: pointTimeSchema,
	manifestDigest: digestSchema,
	/** For each disk of the machine its number in the base; null for one that is read whole. */
	disks: z.array(z.int().min(0).max(63).nullable()).min(1).max(64),
});

/** All that is decided of an import before its moment is begun; the same for every attempt of every step. */
export const importOrderSchema = beginOrderSchema.extend({
	/** Its name in the repository. */
	machine: machineNameSchema,
	/** Of the point. When the moment was taken is a fact beside it. */
	time: pointTimeSchema,
	spec: statedSpecSchema,
	base: orderedBaseSchema.nullable(),
});
export type ImportOrder = z.infer<typeof importOrderSchema>;

/** By what an import is ended: as much of it as is known of one that nobody goes on with. */
export type EndedImport = Pick<ImportOrder, 'tag' | 'owner' | 'identity' | 'machine' | 'time' | 'described'>;

/** What is asked of the source for a disk, and why not less. */
export const diskReadsSchema = z.strictObject({ reads: readsSchema, why: printable(200).nullable() });
export type DiskReads = z.infer<typeof diskReadsSchema>;

/** What the manifest will tell of where the machine came from. */
export function sourceFacts(
	{ described, unknown }: { described: ImportOrder['described']; unknown: readonly string[] },
	moment: Pick<SourceMoment, 'together' | 'takenAt' | 'checkpoint' | 'disks'>,
	reads: readonly DiskReads[],
): SourceFacts {
	const { kind, uri, identity, ids, leftOut } = described;
	const { together, takenAt, checkpoint } = moment;
	return {
		kind,
		uri,
		identity,
		ids,
		consistency: machineConsistency(moment.disks, together),
		together,
		takenAt,
		disks: moment.disks.map((disk, index) => ({ ...disk, reads: 'all', why: null, ...reads[index] })),
		leftOut,
		unknown: [...unknown],
		checkpoint,
	};
}
