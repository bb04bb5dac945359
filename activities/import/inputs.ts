/** What the activities of an import are given: as model/activity-inputs.ts has it for all others, whose documents are not a source's. */
import * as z from 'zod';
import { machineNameSchema } from '../../model/machine.ts';
import { importPlacesSchema } from '../../sources/machine-child/calls.ts';
import { sourceMomentSchema } from '../../sources/machine/documents.ts';
import { importOrderSchema } from '../../sources/machine/order.ts';

const ofOrder = { places: importPlacesSchema, order: importOrderSchema };

export const importInputs = {
	planImport: z.strictObject({ places: importPlacesSchema, importId: z.uuid(), machine: machineNameSchema }),
	sweepImports: z.strictObject(ofOrder),
	beginImport: z.strictObject(ofOrder),
	awaitMoment: z.strictObject({ places: importPlacesSchema, moment: sourceMomentSchema }),
	copyImport: z.strictObject({ ...ofOrder, moment: sourceMomentSchema, maxRateBytes: z.int().min(1).nullable() }),
	commitImport: z.strictObject(ofOrder),
	giveUpImport: z.strictObject(ofOrder),
} as const;
export type ImportActivityInput<A extends keyof typeof importInputs> = z.infer<(typeof importInputs)[A]>;
