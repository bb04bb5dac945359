import * as z from 'zod';
import { errorCodes } from '../../model/errors.ts';
import { phaseSchema } from '../../model/recovery.ts';

/** Raised whenever an older worker would misread the state, or lose what is in it. */
export const stateVersion = 1;

const whole = z.int().min(0);
/** Of the table of reasons, which many items share. */
const number = whole;
const asked = z.strictObject({ by: z.string().max(100), reason: z.string().max(500).optional() });
const stop = z.strictObject({
	why: z.enum(['cancelled', 'failed', 'discarded']),
	code: z.enum(errorCodes),
	reason: z.string(),
});

export const itemFlags = [
	'found',
	'own',
	'late',
	'overlooked',
	'looked',
	'leaving',
	'doubtful',
	'unwanted',
	'again',
] as const;

/** Times are in ms since the batch began. */
const durableItemSchema = z.tuple([
	z.enum(['waiting', 'starting', 'ready', 'not_ready', 'parked', 'ended', 'left_out', 'refused']),
	phaseSchema.nullable(),
	z.string().max(40).nullable(),
	z.array(z.string().max(40)),
	whole,
	z.enum(errorCodes).nullable(),
	number.nullable(),
	/** `startedMs`, `readyMs`, `freeMs`, `heardMs`, `againMs`. */
	z.array(z.int().nullable()).length(5),
	z.array(z.enum(itemFlags)),
	z.array(z.enum(['tell', 'take-back', 'retry', 'discard'])),
]);
export type DurableItem = z.infer<typeof durableItemSchema>;

/** What one run hands to the next: plain JSON, below Temporal's 2 MiB together with the plan. */
export const durableStateSchema = z.strictObject({
	version: z.literal(stateVersion),
	startedMs: whole,
	lookedMs: whole,
	stop: stop.nullable(),
	asked: z.strictObject({ retry: asked.nullable(), discard: asked.nullable() }),
	reasons: z.array(z.string()),
	items: z.array(durableItemSchema),
});
export type DurableState = z.infer<typeof durableStateSchema>;
