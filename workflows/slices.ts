import { Interruption } from './failures.ts';
import type { Run } from './run.ts';
import { holdStream, mustStop } from './streams.ts';

/**
 * Migrates in slices until every disk is restored. The migration mover is a process of its own and the restored map the
 * truth, so a slice is only somebody who watches: it may end at any moment, and a new rate simply begins a new one. That
 * keeps a day of copying under a thousand events.
 */
export async function migrateInSlices(run: Run): Promise<void> {
	for (let complete = false; !complete; ) {
		if (run.asksBroker) await holdStream(run);
		complete = await migrateOneSlice(run);
	}
}

async function migrateOneSlice(run: Run): Promise<boolean> {
	const { maxRateBytes } = run.state.policy;
	const stale = () => run.state.policy.maxRateBytes !== maxRateBytes || (run.asksBroker && mustStop(run));
	run.state.mayCopy = true;
	try {
		const slice = await run.attempt(input => run.host.migrateChunks({ ...input, maxRateBytes }), {
			renewable: true,
			stale,
		});
		run.state.restoredBytes = slice.restoredBytes;
		run.publish();
		return slice.complete;
	} catch (error) {
		if (error instanceof Interruption && error.why === 'stale') return false;
		throw error;
	}
}
