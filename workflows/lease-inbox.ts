/** What a broker tells a recovery or an import. It may come twice, late, or when nobody wants it any more. */
import { log, setHandler } from '@temporalio/workflow';
import * as z from 'zod';
import { type LeaseRequest, requestIdOf } from '../model/broker.ts';
import { nameSchema } from '../model/names.ts';
import { leaseGrantedSignal, leaseRefusedSignal, leaseRevokedSignal } from './broker-contracts.ts';
import { kindOf, type LeaseHolder } from './lease-state.ts';
import { holderHere, tellRelease } from './leases.ts';

const about = { requestId: z.string() };
const grantSchema = z.object({ ...about, host: nameSchema.nullable(), token: z.int().min(1) });
const refusalSchema = z.object({ ...about, code: z.enum(['broker_full', 'lease_ended', 'may_be_over']) });
const revocationSchema = z.object({ ...about, by: z.string().max(100), reason: z.string().max(500).optional() });

/** Set before the first await, as all handlers: a grant may be older than the run. */
export function takeLeases(holder: LeaseHolder): void {
	setHandler(leaseGrantedSignal, async sent => {
		const grant = understood(grantSchema, sent);
		if (grant) await granted(holder, grant);
	});
	setHandler(leaseRefusedSignal, sent => {
		const refusal = understood(refusalSchema, sent);
		if (refusal) refused(holder, refusal);
	});
	setHandler(leaseRevokedSignal, sent => {
		const revocation = understood(revocationSchema, sent);
		if (revocation) revoked(holder, revocation);
	});
}

/** A signal cannot be refused. One for an earlier workflow of this name is nobody's: its broker finds out that it is closed. */
function understood<T extends { requestId: string }>(schema: z.ZodType<T>, sent: unknown): T | undefined {
	const { workflowId, firstRunId } = holderHere();
	const message = schema.safeParse(sent).data;
	if (message?.requestId.startsWith(`${workflowId}/${firstRunId}/`)) return message;
	log.warn('a word of the broker is not for this workflow', { requestId: message?.requestId ?? 'not understood' });
	return undefined;
}

/** Held from here on, whatever the steps are at; what is not wanted any more goes back at once. */
async function granted(
	{ leases }: LeaseHolder,
	{ requestId, host, token }: z.infer<typeof grantSchema>,
): Promise<void> {
	const { asking } = leases;
	const known = leases.held.find(({ request }) => requestIdOf(request) === requestId);
	if (known) {
		known.token = Math.max(known.token, token); // of the next broker
		return;
	}
	// A person's word goes by another way than grants, and may be here before the one that it takes away.
	const isTaken = leases.refused?.by === 'person';
	const isWanted = asking !== null && requestIdOf(asking) === requestId && !isTaken;
	if (!isWanted || !isPlaceOf(asking, host)) {
		log.info('a lease that is not wanted any more goes back', { requestId });
		return tellRelease({ requestId, stays: null });
	}
	leases.held.push({ request: asking, host, token });
	leases.asking = leases.refused = leases.sinceMs = leases.doubtedMs = null;
	log.info('lease', { requestId, host, token });
}

/** Where nothing of a host was asked for there is none. */
function isPlaceOf({ hosts }: LeaseRequest, host: string | null): boolean {
	return host === null ? hosts.length === 0 : hosts.includes(host);
}

function refused({ leases }: LeaseHolder, { requestId, code }: z.infer<typeof refusalSchema>): void {
	if (leases.asking && requestIdOf(leases.asking) === requestId)
		leases.refused = { by: 'broker', code, message: `the broker: ${code}` };
}

function revoked(holder: LeaseHolder, { requestId, by, reason = '' }: z.infer<typeof revocationSchema>): void {
	const { leases } = holder;
	const message = `${by} took ${requestId.slice(requestId.lastIndexOf('/') + 1)} away from it: ${reason}`;
	if (leases.asking && requestIdOf(leases.asking) === requestId)
		leases.refused = { by: 'person', code: 'lease_ended', message };
	const taken = leases.held.find(({ request }) => requestIdOf(request) === requestId);
	if (!taken) return;
	log.warn('a lease was taken away', { requestId, by, reason });
	leases.held = leases.held.filter(lease => lease !== taken);
	holder.leaseTaken(kindOf(taken.request), message);
}
