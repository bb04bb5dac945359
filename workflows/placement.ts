/** Over a pool: which host it may be, and what follows when one of them does not have it. */
import { sleep } from '@temporalio/workflow';
import type { ErrorCode, ErrorDocument } from '../model/errors.ts';
import type { Place } from '../model/recovery.ts';
import type { Run } from './run.ts';

/** What is wrong with this host may be right on another. */
const hostsOwn: readonly ErrorCode[] = [
	'host_busy',
	'worker_missing',
	'space_short',
	'precheck_failed',
	'config_invalid',
];

/** What passes by itself: such a host is asked again when there is no other. */
export const passing: readonly ErrorCode[] = ['host_busy', 'worker_missing'];

const pauseMs = 30_000;

/** Those that have not refused it. */
export function candidates({ request, state }: Run): Place[] {
	const { pool = [{ host: request.host, hostId: request.hostId }] } = request;
	const refused = new Set(state.leases.refusals.map(({ host }) => host));
	return pool.filter(({ host }) => !refused.has(host));
}

/** Before its machine was powered on, and while a host is left that it may run on. */
export function mayGoElsewhere(run: Run, { code }: ErrorDocument): boolean {
	const { place, leases } = run.state;
	if (run.request.pool === undefined || place === null || !hostsOwn.includes(code)) return false;
	const others = candidates(run).some(({ host }) => host !== place.host);
	return others || passing.includes(code) || leases.refusals.some(refusal => passing.includes(refusal.code));
}

/** The host has nothing of it any more, nothing is pinned, and its place went back: all begins anew without that host. */
export function goElsewhere(run: Run, { code, message }: ErrorDocument): void {
	const { state } = run;
	const { host } = run.request;
	state.leases.refusals.push({ host, code, message });
	const { warnings } = run.plan;
	state.plan = { ...run.plan, hardware: null, warnings: warnings.filter(text => !text.startsWith('unpinned: ')) };
	state.done = ['plan'];
	state.mayBePinned = false;
	state.place = null;
}

/** Some hosts are asked again, when all have refused it. */
export async function pauseWhenAllRefused(run: Run): Promise<void> {
	const { leases } = run.state;
	if (candidates(run).length > 0) return;
	await run.interruptible(() => sleep(pauseMs), { renewable: true });
	leases.refusals = leases.refusals.filter(({ code }) => !passing.includes(code));
}

/** With what every host has said, when it is the last of a pool that will not have it. */
export function afterAll({ request, state }: Run, document: ErrorDocument): ErrorDocument {
	const { refusals } = state.leases;
	if (request.pool === undefined || refusals.length === 0) return document;
	const told = refusals.map(({ host, message }) => `${host}: ${message}`);
	return { ...document, message: [...told, `${request.host}: ${document.message}`].join('; ') };
}
