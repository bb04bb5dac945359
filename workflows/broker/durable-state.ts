import * as z from 'zod';
import { brokerLimits, leaseRequestSchema, reporterSchema, resourceSchema } from '../../model/broker.ts';
import { nameSchema } from '../../model/names.ts';

/** Raised whenever an older worker would misread the state, or lose what is in it. */
export const stateVersion = 2;

const whole = z.int().min(0);
const number = whole;
const pairs = z.array(z.tuple([number, whole]));
const request = leaseRequestSchema.shape;
const requestId = z.string().min(1).max(160);

/** A request in the order of its fields; `hosts`, `lasting` and the keys of weights are numbers of names. */
export const durableRequestSchema = z.tuple([
	request.holder.shape.workflowId,
	request.holder.shape.firstRunId,
	request.step,
	pairs,
	z.array(number).max(brokerLimits.poolHosts),
	pairs,
	z.array(number),
	request.priority,
	request.deadlineMs,
	request.sinceMs,
	request.expectedMs,
]);
export type DurableRequest = z.infer<typeof durableRequestSchema>;

/** What one run hands to the next: plain JSON, below Temporal's 2 MiB also when the broker is full. */
export const durableStateSchema = z.strictObject({
	version: z.literal(stateVersion),
	names: z.array(z.string()),
	/** Name, id of a host, number of the last report, kind, total and outside of each resource, since when away and seen by whom. */
	reporters: z.array(
		z.tuple([
			reporterSchema,
			z.uuid().nullable(),
			whole,
			z.array(z.tuple([number, whole, whole])),
			z.tuple([whole, request.holder.shape.workflowId]).nullable(),
		]),
	),
	/** Why a total is less than usual, by resource. */
	reduced: z.array(z.tuple([resourceSchema, z.string().min(1).max(200)])).default([]),
	set: z.array(z.tuple([resourceSchema, whole])),
	/** Host, weights, the last report without it. */
	staying: z.array(z.tuple([nameSchema, pairs, whole])),
	/** Request, `seq`, host, token, `grantedMs`, `maybeKnown`, `onHost`, `orphanedMs`. */
	leases: z.array(
		z.tuple([durableRequestSchema, whole, number.nullable(), whole, whole, z.boolean(), z.boolean(), whole.nullable()]),
	),
	/** Request, `seq`, `reservesOn`. */
	waiters: z.array(z.tuple([durableRequestSchema, whole, number.nullable()])),
	ended: z.array(z.tuple([requestId, whole])),
	forgottenMs: whole,
	lastSeq: whole,
	lastToken: whole,
	asked: z.strictObject({ atMs: whole, upTo: whole }),
	rebuilding: z.strictObject({ sinceMs: whole, silent: z.array(reporterSchema), listed: z.boolean() }).nullable(),
});
export type DurableState = z.infer<typeof durableStateSchema>;
