import * as z from 'zod';
import { errorCodes } from './errors.ts';
import { nameSchema } from './names.ts';

const addressSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/, 'an address or a host name');

/** Ways to ask that drills have as well. */
export const sharedChecks = [
	z.strictObject({ by: z.literal('ping'), address: addressSchema }),
	z.strictObject({ by: z.literal('tcp'), address: addressSchema, port: z.int().min(1).max(65535) }),
	/** The program `checks/NAME` in the home of the host's installation: ready at exit code 0. */
	z.strictObject({ by: z.literal('command'), name: nameSchema, args: z.array(z.string().max(200)).max(16) }),
] as const;

export const readinessCheckSchema = z.discriminatedUnion('by', [
	z.strictObject({ by: z.literal('agent') }),
	...sharedChecks,
]);
export type ReadinessCheck = z.infer<typeof readinessCheckSchema>;

/** When a machine that was powered on counts as ready: asked from its host, until it is so or `timeoutMs` is over. */
export const readinessSchema = z.strictObject({
	check: readinessCheckSchema,
	timeoutMs: z.int().min(1_000).max(86_400_000),
});
export type Readiness = z.infer<typeof readinessSchema>;

/** How long a machine may take to be ready, where nobody says. */
export const defaultReadyMs = 600_000;

/** Whether a check asks a port that the host hands on to the guest; in doubt it does. */
export function isForwarded(
	check: ReadinessCheck,
	forwards: readonly { address: string; port: number }[] = [],
): boolean {
	if (check.by !== 'tcp') return false;
	const { address, port } = check;
	const here = address === 'localhost' || address.startsWith('127.');
	return forwards.some(
		forward => forward.port === port && (here || forward.address === address || forward.address === '0.0.0.0'),
	);
}

/** Why a machine cannot be asked as it is wished on the platform that chose its hardware; before it was powered on. */
export function whyUnaskable(
	{ powerOn, readiness }: { powerOn: boolean; readiness?: Readiness | undefined },
	{ platform, agent = false }: { platform: string; agent?: boolean | undefined },
): { code: 'config_invalid'; message: string; hint: string } | undefined {
	if (!powerOn || readiness?.check.by !== 'agent' || agent) return undefined;
	return {
		code: 'config_invalid',
		message: `readiness by the guest's agent: this machine gets no channel to one on ${platform}`,
		hint: 'ask by ping, by tcp or by a command instead',
	};
}

/** Why a check has not passed; null of one that has. */
const whyNot = { code: z.enum(errorCodes).nullable(), reason: z.string().nullable() };

/** What became of the checks of one recovery on its host. */
const readinessAnswerSchema = z.object({ ready: z.boolean(), ...whyNot });
export type ReadinessAnswer = z.infer<typeof readinessAnswerSchema>;

/** How ready a machine is; a part of answers, read for what is known of it. */
export const readinessStateSchema = z.object({
	/** `not_ready`: the time limit was over before the check passed. Nothing asks any more then. */
	is: z.enum(['waiting', 'ready', 'not_ready']),
	/** When the time limit is over; null before it was powered on, and of one that needs no check. */
	until: z.iso.datetime().nullable(),
	...whyNot,
});
export type ReadinessState = z.infer<typeof readinessStateSchema>;
