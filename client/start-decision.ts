/** What a name that is taken means to somebody who starts a recovery under it. Pure. */
import { RouseError } from '../model/errors.ts';
import { endedByForce } from './phases.ts';
import type { RecoverySummary } from './summaries.ts';

export type StartOutcome = 'started' | 'attached' | 'already_finished';

/**
 * What to do about a recovery that has the name: an outcome, or undefined for "start a new one". `removed`: it is finished
 * or was ended by force, and the host does not have it any more. The `name_conflict` that is thrown says in its details how the recovery
 * stands; `place_unknown` names the hosts that may have the machine of one which failed by that.
 */
export function decideStart(
	existing: RecoverySummary,
	requestHash: string,
	{ again, removed }: { again: boolean; removed: boolean },
): Exclude<StartOutcome, 'started'> | undefined {
	const { phase, workflow } = existing;
	const same = existing.requestHash === requestHash;
	if (mayRunTwice(existing) && !again) throw placeUnknown(existing);
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

/** It failed since its history, which was put back, does not know whether a host has its machine. */
function mayRunTwice({ workflow, status }: RecoverySummary): boolean {
	return workflow === 'FAILED' && status?.failure?.code === 'place_unknown';
}

/**
 * The same to a batch: a finished machine that is still there has come back, and `again` is for those of which nothing is left.
 * `named`: said of this one alone, which takes that it may run twice.
 */
export function decideItemStart(
	existing: RecoverySummary,
	requestHash: string,
	{ again, named = false, removed }: { again: boolean; named?: boolean; removed: boolean },
): Exclude<StartOutcome, 'started'> | undefined {
	const isThere = existing.phase === 'finished' && !removed;
	const isWanted = named || (again && !mayRunTwice(existing));
	return decideStart(existing, requestHash, { again: isWanted && !isThere, removed });
}

function placeUnknown({ name, request }: RecoverySummary): RouseError {
	const hosts = request?.pool?.map(({ host }) => host) ?? [];
	const where = hosts.length > 0 ? hosts.join(' or ') : 'one of its hosts';
	const message = `recovery ${name} lost its history, and its machine may be on ${where}: started again it may run twice`;
	return new RouseError('place_unknown', message, { details: { recovery: name } });
}

function conflict({ name, phase, workflow }: RecoverySummary, what: string, more: { removed?: true } = {}): RouseError {
	const details = { recovery: name, phase, workflow, ...more };
	return new RouseError('name_conflict', `recovery ${name} ${what}`, { details });
}
