/** What the activities of an import are given: as model/activity-inputs.ts has it for all others, whose documents are not a source's. */
import * as z from 'zod';
import { copyBeatSchema } from '../../model/import-view.ts';
import { machineNameSchema } from '../../model/machine.ts';
import { importPlacesSchema } from '../../sources/machine-child/calls.ts';
import { sourceMomentSchema } from '../../sources/machine/documents.ts';
import { importOrderSchema } from '../../sources/machine/order.ts';

/** Others wait for its turn: it ends when it comes no further. */
const inTurn = { inTurn: z.literal(true).optional() };
const ofOrder = { places: importPlacesSchema, order: importOrderSchema };

export const importInputs = {
	planImport: z.strictObject({ places: importPlacesSchema, importId: z.uuid(), machine: machineNameSchema, ...inTurn }),
	sweepImports: z.strictObject(ofOrder),
	beginImport: z.strictObject({ ...ofOrder, ...inTurn }),
	awaitMoment: z.strictObject({ places: importPlacesSchema, moment: sourceMomentSchema }),
	copyImport: z.strictObject({
		...ofOrder,
		moment: sourceMomentSchema,
		maxRateBytes: z.int().min(1).nullable(),
		...inTurn,
		/** What its attempts in earlier turns have left. */
		before: copyBeatSchema.optional(),
	}),
	commitImport: z.strictObject(ofOrder),
	giveUpImport: z.strictObject(ofOrder),
} as const;
export type ImportActivityInput<A extends keyof typeof importInputs> = z.infer<(typeof importInputs)[A]>;
