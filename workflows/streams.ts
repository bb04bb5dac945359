/** The migration's share of repository and host: held while it copies, and by nobody who waits for a person. */
import { DeterminismViolationError, log } from '@temporalio/workflow';
import { documentOf, failureOf, Interruption, isBehind } from './failures.ts';
import { migrateRequest } from './lease-requests.ts';
import { leaseHeld } from './lease-state.ts';
import { giveBack, hold, withdraw } from './leases.ts';
import type { Run } from './run.ts';
import { mayAskHost } from './state.ts';

/** Returns when it may copy. Throws `lease_ended` when a person has taken its stream away: it parks by that. */
export async function holdStream(run: Run): Promise<void> {
	const { state } = run;
	if (waits(run)) {
		await giveStreamBack(run, () => !waits(run));
		await run.waitUntil(() => !waits(run));
	}
	if (state.leases.taken !== null) {
		const message = state.leases.taken;
		state.leases.taken = null;
		throw failureOf({ code: 'lease_ended', message });
	}
	const { request, plan } = run;
	await hold(run, 'migrate', asked => migrateRequest({ ...asked, hosts: [request.host], request, plan }));
	if (state.phase === 'migrating') run.publish();
	else run.enter('migrating');
}

/** For a person. What a host that is blocked copies on all the same – all but a bad chunk, say – it copies to its end. */
function waits({ state: { blocked, copiesOn, parked } }: Run): boolean {
	return parked !== null || (blocked !== null && !copiesOn);
}

/** What a slice was begun with does not hold any more. */
export function mustStop(run: Run): boolean {
	return waits(run) || leaseHeld(run.state.leases, 'migrate') === undefined;
}

/**
 * Not before its host has said that nothing is copied there any more: somebody else copies with it then. One that does not say
 * that, since it is away or has no room to record it, keeps the stream. Leaves it when it waits for nobody any more.
 */
export async function giveStreamBack(run: Run, isOver: () => boolean): Promise<void> {
	const { state } = run;
	if (!run.asksBroker || !mayAskHost(state)) return;
	await withdraw(run);
	if (state.mayCopy && !(await paused(run, isOver))) return;
	state.mayCopy = false;
	await giveBack(run, ['migrate']);
	run.publish();
}

async function paused(run: Run, isOver: () => boolean): Promise<boolean> {
	try {
		await run.attempt(input => run.host.pauseMigration(input), { renewable: true, stale: isOver });
		return true;
	} catch (error) {
		if (error instanceof Interruption && error.why === 'stale') return false;
		const document = documentOf(error);
		if (error instanceof Interruption || error instanceof DeterminismViolationError || isBehind(document)) throw error;
		// Its files are gone: a host that has nothing of it copies nothing for it.
		if (document.code === 'recovery_unknown') return true;
		log.warn('the copy could not be paused: its stream stays held', { ...document });
		return false;
	}
}
