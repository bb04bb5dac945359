import * as z from 'zod';
import { batchPlanSchema } from './batch.ts';
import { nameSchema } from './names.ts';
import { sharedChecks } from './readiness.ts';

/** What a drill bears; why these: docs/architecture.md, "A drill". */
export const drillLimits = {
	/** It is one run of a workflow, whose history has to stay well below what Temporal takes. */
	machines: 200,
	/** Of one machine. */
	tests: 20,
	/** Of what a test said, its end. */
	outputLength: 4_000,
	/** Of a console's picture; it goes through Temporal once for each machine. */
	screenshotBytes: 512 * 1024,
	/** Reports that are kept, at most. */
	kept: 1_000,
} as const;

const addressSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/, 'an address or a host name');
const textSchema = z.string().max(1_000);

/** How a machine is tried. What readiness asks by can be asked here too; `agent` runs a command in the guest. */
export const drillCheckSchema = z.discriminatedUnion('by', [
	...sharedChecks,
	/** A program of the guest and its arguments, run by its agent. */
	z.strictObject({ by: z.literal('agent'), command: z.array(textSchema).min(1).max(32) }),
	/** Passed when `expect` comes on the serial console after `send` was typed there. */
	z.strictObject({ by: z.literal('serial'), send: textSchema, expect: textSchema.min(1) }),
	/** By the system's own `ssh`, with `checks/ssh-key` of the host as the key. */
	z.strictObject({
		by: z.literal('ssh'),
		address: addressSchema,
		port: z.int().min(1).max(65_535),
		user: z.string().regex(/^[a-z_][a-z0-9_.-]{0,31}$/i),
		command: textSchema.min(1),
	}),
]);
export type DrillCheck = z.infer<typeof drillCheckSchema>;

/**
 * Under which address a forward leads to this very machine, if one does. The original has the same guest: any other address,
 * and any name, may be its.
 */
export function ownAddress(
	{ address, port }: { address: string; port: number },
	forwards: readonly { address: string; port: number }[] = [],
): string | undefined {
	const wanted = address === 'localhost' ? '127.0.0.1' : address;
	const here = /^127(\.\d{1,3}){3}$/.test(wanted);
	const isOwn = (forward: { address: string; port: number }) =>
		forward.port === port && (forward.address === wanted || (forward.address === '0.0.0.0' && here));
	return forwards.some(isOwn) ? wanted : undefined;
}

export const drillTestSchema = z.strictObject({
	name: z.string().min(1).max(80),
	check: drillCheckSchema,
	/** From its begin on: a test that is not passed is tried again until then only where its kind asks for something to come up. */
	timeoutMs: z.int().min(1_000).max(3_600_000),
});
export type DrillTest = z.infer<typeof drillTestSchema>;

const drillTestsSchema = z.array(drillTestSchema).max(drillLimits.tests);

/** What a drill is told to do, all points resolved. */
export const drillPlanSchema = z.strictObject({
	/** Its name is the drill's; each request says so. */
	batch: batchPlanSchema,
	/** By the name of the recovery. */
	tests: z.record(nameSchema, drillTestsSchema),
	/** It is cancelled when it takes longer: what waits for a place may wait for ever. */
	withinMs: z.int().min(60_000),
	/** How many of its reports are kept. */
	keep: z.int().min(1).max(drillLimits.kept),
});
export type DrillPlan = z.infer<typeof drillPlanSchema>;
