import * as z from 'zod';
import { platformDataSchema } from './hardware.ts';
import { machineConfigSchema } from './machine.ts';
import { plannedNicSchema, recoveryPlanSchema } from './recovery.ts';

/** What a host's platform is asked about a machine that is planned: its supervisor answers with a `Hardware`. */
export const hardwareRequestSchema = z.strictObject({
	config: machineConfigSchema,
	had: recoveryPlanSchema.shape.had,
	nics: z.array(plannedNicSchema),
	forwards: recoveryPlanSchema.shape.forwards,
	diskSizesBytes: z.array(z.int().min(1)).max(64).optional(),
	options: platformDataSchema,
	/** It is on no network that leads anywhere, or not at all; absent: that is not asked for. */
	isolated: z.boolean().optional(),
});
export type HardwareRequest = z.infer<typeof hardwareRequestSchema>;
