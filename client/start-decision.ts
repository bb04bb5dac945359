/** What a name that is taken means to somebody who starts a recovery under it. Pure. */
import { RouseError } from '../model/errors.ts';
import { endedByForce } from './phases.ts';
import type { RecoverySummary } from './summaries.ts';

export type StartOutcome = 'started' | 'attached' | 'already_finished';

/**
 * What to do about a recovery that has the name: an outcome, or undefined for "start a new one". `removed`: it is finished
 * or was ended by force, and the host does not have it any more. The `name_conflict` that is thrown says in its details how the recovery
 * stands.
 */
export function decideStart(
	existing: RecoverySummary,
	requestHash: string,
	{ again, removed }: { again: boolean; removed: boolean },
): Exclude<StartOutcome, 'started'> | undefined {
	const { phase, workflow } = existing;
	const same = existing.requestHash === requestHash;
	if (workflow === 'FAILED') return undefined;
	if (workflow === 'COMPLETED' && (phase === 'discarded' || phase === 'abandoned')) {
		if (again) return undefined;
		throw conflict(existing, `was ${phase}`);
	}
	if (workflow === 'COMPLETED' && removed) {
		if (again) return undefined;
		throw conflict(existing, 'is finished, and its machine was removed from the host', { removed });
	}
	if (workflow === 'COMPLETED' && same && !again) return 'already_finished';
	if (workflow === 'COMPLETED') throw conflict(existing, 'is finished, and its machine has the name');
	if (endedByForce(workflow) && removed && again) return undefined;
	if (workflow !== 'RUNNING')
		throw conflict(existing, `was ended by force in Temporal (${workflow.toLowerCase()}); its machine may still run`);
	if (same) return 'attached';
	throw conflict(existing, `is ${phase}, and was started with other options`);
}

/** The same to a batch: a finished machine that is still there has come back, and `again` is for those of which nothing is left. */
export function decideItemStart(
	existing: RecoverySummary,
	requestHash: string,
	{ again, removed }: { again: boolean; removed: boolean },
): Exclude<StartOutcome, 'started'> | undefined {
	const isThere = existing.phase === 'finished' && !removed;
	return decideStart(existing, requestHash, { again: again && !isThere, removed });
}

function conflict({ name, phase, workflow }: RecoverySummary, what: string, more: { removed?: true } = {}): RouseError {
	const details = { recovery: name, phase, workflow, ...more };
	return new RouseError('name_conflict', `recovery ${name} ${what}`, { details });
}
