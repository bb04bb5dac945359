import * as z from 'zod';
import { nameSchema } from './names.ts';

const addressSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/, 'an address or a host name');

/** When a machine that was powered on counts as ready: asked from its host, until it is so or `timeoutMs` is over. */
export const readinessSchema = z.strictObject({
	check: z.discriminatedUnion('by', [
		z.strictObject({ by: z.literal('agent') }),
		z.strictObject({ by: z.literal('ping'), address: addressSchema }),
		z.strictObject({ by: z.literal('tcp'), address: addressSchema, port: z.int().min(1).max(65535) }),
		/** The program `checks/NAME` in the home of the host's installation: ready at exit code 0. */
		z.strictObject({ by: z.literal('command'), name: nameSchema, args: z.array(z.string().max(200)).max(16) }),
	]),
	timeoutMs: z.int().min(1_000).max(86_400_000),
});
export type Readiness = z.infer<typeof readinessSchema>;
