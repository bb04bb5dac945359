/** Over a pool: which host it may be, and what follows when one of them does not have it. */
import { condition } from '@temporalio/workflow';
import type { ErrorCode, ErrorDocument } from '../model/errors.ts';
import type { Place } from '../model/recovery.ts';
import { failureOf } from './failures.ts';
import { parkWhereItIs } from './leave-host.ts';
import { untilRetried } from './parking.ts';
import type { Run } from './run.ts';

/** What is wrong with this host may be right on another. */
const hostsOwn: readonly ErrorCode[] = [
	'host_busy',
	'worker_missing',
	'space_short',
	'precheck_failed',
	'config_invalid',
];

/** That passes by itself: such a host is asked again when there is no other. */
const isBusy = ({ code }: { code: ErrorCode }) => code === 'host_busy';

const pauseMs = 30_000;

/** Those that have not refused it, and may have nothing of it. */
export function candidates({ request, state }: Run): Place[] {
	const { pool = [{ host: request.host, hostId: request.hostId }] } = request;
	const without = new Set([...state.leases.refusals, ...state.owed].map(({ host }) => host));
	return pool.filter(({ host }) => !without.has(host));
}

/** Before its machine may have been powered on, and while a host is left that it may run on. */
export function mayGoElsewhere(run: Run, { code }: ErrorDocument): boolean {
	return mayLeave(run) && hostsOwn.includes(code);
}

/**
 * Another host may have it, now or later. Never once power-on was scheduled; nor where the host has told that the machine has
 * power, which a history that was put back does not know.
 */
function mayLeave(run: Run): boolean {
	const { place, leases, owed, powerScheduled, power } = run.state;
	if (run.request.pool === undefined || place === null || powerScheduled || power !== 'off') return false;
	return owed.length > 0 || leases.refusals.some(isBusy) || candidates(run).some(({ host }) => host !== place.host);
}

/** The host where it has its place, for a step before power-on: one that is not taken there in time is a {@link refusalOf} it. */
export function hostOrLeave(run: Run) {
	return mayLeave(run) ? run.host.orLeave : run.host;
}

/** Nobody has taken a step there, or has answered; nobody knows whether it was done. */
export function refusalOf(run: Run, document: ErrorDocument): ErrorDocument {
	if (document.code !== 'timeout' || !mayLeave(run)) return document;
	return { code: 'worker_missing', message: `host ${run.request.host} does not answer: ${document.message}` };
}

/** A host that is full has nothing of it. */
export function hasNothing(run: Run, { code }: ErrorDocument): boolean {
	return run.state.place === null || (code === 'host_busy' && !run.isDone('reserve'));
}

/** The host has nothing of it any more, or is owed an undo; its place went back. All begins anew without that host; the pin stays. */
export function goElsewhere(run: Run, { code, message }: ErrorDocument): void {
	const { state } = run;
	const { host } = run.request;
	// One that was left is asked again when it has nothing any more.
	const isLeft = code === 'worker_missing' || state.owed.some(owed => owed.host === host);
	if (!isLeft) state.leases.refusals.push({ host, code, message });
	const { warnings } = run.plan;
	state.plan = { ...run.plan, hardware: null, warnings: warnings.filter(text => !text.startsWith('unpinned: ')) };
	state.done = ['plan'];
	state.place = null;
}

/**
 * Hosts that were only busy are asked again, when all have refused it; those that were left, when they have nothing of it any
 * more. One of those that will not undo it has it: then it parks. Fails when the last that it waited for was given up.
 */
export async function pauseWhenAllRefused(run: Run): Promise<void> {
	const { state } = run;
	const isLeft = () => candidates(run).length > 0;
	const isHopeless = () => state.owed.length === 0 && !state.leases.refusals.some(isBusy);
	const isOver = () => isLeft() || isHopeless() || state.owed.some(({ refusal }) => refusal !== null);
	while (!isLeft()) {
		if (parkWhereItIs(run)) await untilRetried(run);
		else if (isHopeless()) throw failureOf({ code: 'worker_missing', message: refusalsText(run) });
		else if (!state.leases.refusals.some(isBusy)) await run.waitUntil(isOver);
		else await run.interruptible(() => condition(isOver, pauseMs), { renewable: true });
		state.leases.refusals = state.leases.refusals.filter(refusal => !isBusy(refusal));
	}
}

/** With what every host has said, when it is the last of a pool that will not have it. */
export function afterAll({ request, state }: Run, document: ErrorDocument): ErrorDocument {
	const { refusals } = state.leases;
	if (request.pool === undefined || refusals.length === 0) return document;
	// Without a place none of them has said this.
	if (state.place === null) return document;
	return { ...document, message: [refusalsText({ state }), `${request.host}: ${document.message}`].join('; ') };
}

function refusalsText({ state }: Pick<Run, 'state'>): string {
	return state.leases.refusals.map(({ host, message }) => `${host}: ${message}`).join('; ');
}
