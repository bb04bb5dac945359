/** One JSON document a line in each direction, ASCII alone: what is not is escaped as `\uXXXX`. */
import * as z from 'zod';

/** A request is `{id, op, …}`; the driver takes one at a time and answers in order. */
export const envelopeSchema = z.looseObject({ id: z.int().min(0), op: z.string() });

/**
 * Why an operation failed. `code` is the driver's own judgement, `failed` where Windows has spoken: then `hresult` says why,
 * as `0x` and eight digits in upper case.
 */
const driverFailureSchema = z.object({
	code: z.enum([
		'failed',
		'identity_conflict',
		'chain_unexpected',
		'slots_full',
		'machine_unknown',
		'state_wrong',
		'not_there',
		/** Another session is at work on the same recovery, and was waited for; or Windows is at work on its disks. */
		'busy',
	]),
	message: z.string(),
	hresult: z
		.string()
		.regex(/^0x[\dA-F]{8}$/)
		.nullable(),
	/** The cmdlet that failed, if one did. */
	cmdlet: z.string().nullable(),
});
export type DriverFailure = z.infer<typeof driverFailureSchema>;

export const answerSchema = z.union([
	z.object({ id: z.int(), ok: z.literal(true), result: z.unknown() }),
	z.object({ id: z.int(), ok: z.literal(false), error: driverFailureSchema }),
]);
export type DriverAnswer = z.infer<typeof answerSchema>;
