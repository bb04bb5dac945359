/** The migration's share of repository and host: held while it copies, and by nobody who waits for a person. */
import { failureOf, Interruption } from './failures.ts';
import { migrateRequest } from './lease-requests.ts';
import { leaseHeld } from './lease-state.ts';
import { giveBack, hold } from './leases.ts';
import type { Run } from './run.ts';

/** Returns when it may copy. Throws `lease_ended` when a person has taken its stream away: it parks by that. */
export async function holdStream(run: Run): Promise<void> {
	const { state } = run;
	if (state.blocked) {
		await giveBack(run, ['migrate']);
		run.publish();
		await run.waitUntil(() => state.blocked === null);
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

/** What a slice was begun with does not hold any more. */
export function mustStop({ state: { blocked, leases } }: Run): boolean {
	return blocked !== null || leaseHeld(leases, 'migrate') === undefined;
}

/** Who parks gives its stream back first; who goes on in another run, or is to be ended on its host, keeps it until then. */
export async function untilParked<T>(run: Run, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		if (!(error instanceof Interruption) || error.why === 'cancel') await giveBack(run, ['migrate']);
		throw error;
	}
}
