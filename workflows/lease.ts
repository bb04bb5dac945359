import { workflowInfo } from '@temporalio/workflow';
import { failureOf } from './failures.ts';
import { runRequest } from './lease-requests.ts';
import { leaseHeld } from './lease-state.ts';
import { hold } from './leases.ts';
import { candidates, hostOrLeave, pauseWhenAllRefused } from './placement.ts';
import type { Run } from './run.ts';

/**
 * Waits for what the recovery needs to run: all of it at once, or nothing. The broker of the site counts for all hosts, and
 * its grant names the one that it is to be; the host counts for itself when it reserves, and has the last word. What was
 * granted goes back by `undo`, and when the recovery is over.
 */
export async function acquireLease(run: Run): Promise<void> {
	if (run.isDone('reserve')) return;
	run.enter('waiting');
	if (run.asksBroker) await findPlace(run);
	await reserve(run);
}

async function findPlace(run: Run): Promise<void> {
	const { state } = run;
	await pauseWhenAllRefused(run);
	// One that it was given before, and lost the lease of, may have it.
	const hosts = () => (state.place ? [state.place] : candidates(run)).map(({ host }) => host);
	const granted = await hold(
		run,
		'run',
		({ holder, step }) =>
			runRequest({
				holder,
				step,
				hosts: hosts(),
				sinceMs: sinceMs(run),
				request: run.request,
				plan: run.plan,
			}),
		() => mustNotRunTwice(run),
	);
	state.place = candidates(run).find(({ host }) => host === granted.host) ?? state.place;
	run.publish(); // before the host has it: a broker that is lost meanwhile learns of the grant by the memo alone
}

/**
 * Since when it has waited. Where the broker has forgotten too much to know whether that was over, a run that was never reset
 * does: it asks for the first time, as if it had begun now. The choice is no branch of the history, which a reset replays.
 */
function sinceMs({ state: { leases, timings } }: Run): number {
	const { runId, firstExecutionRunId } = workflowInfo();
	const anewMs = runId === firstExecutionRunId ? leases.doubtedMs : null;
	return anewMs ?? Date.parse(timings.requestedAt);
}

/**
 * A history that was put back does not know on which host of the pool its machine runs, and another lease may name
 * another one.
 */
function mustNotRunTwice({ request: { name: recovery, pool } }: Run): void {
	if (!pool) return;
	throw failureOf({
		code: 'place_unknown',
		message: `recovery ${recovery} may have had its place before, which this history does not know: its machine may be on ${pool.map(({ host }) => host).join(' or ')}`,
		hint: 'see which host has it: it can be adopted there; where none has, start it again',
		details: { recovery },
	});
}

async function reserve(run: Run): Promise<void> {
	const lease = leaseHeld(run.state.leases, 'run');
	const given = { request: run.request, ...(lease ? { lease } : {}) };
	await run.once('reserve', input => hostOrLeave(run).reserve({ ...input, ...given }), { renewable: true });
}
