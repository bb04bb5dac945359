/** What a phase means to somebody who waits for it. Pure. */
import { RouseError } from '../model/errors.ts';
import { type Phase, type Power, terminalPhases } from '../model/recovery.ts';
import type { RecoverySummary } from './summaries.ts';

/** Phases in the order of a recovery; one that failed or was discarded is never at or past another phase. */
const phaseOrder: readonly Phase[] = [
	'planned',
	'waiting',
	'starting',
	'running',
	'migrating',
	'migrated',
	'switching',
	'finished',
];

/** Whoever finished it, or gave it up, told of the power then; since that moment the host alone knows. */
export function reportedPower({ phase, status }: Pick<RecoverySummary, 'phase' | 'status'>): Power | null {
	return phase === 'finished' || phase === 'abandoned' ? null : (status?.power ?? null);
}

/** Nothing more will happen to it: it came to its end, or its workflow was ended by force. */
export function hasEnded({ phase, workflow }: Pick<RecoverySummary, 'phase' | 'workflow'>): boolean {
	return terminalPhases.includes(phase) || endedByForce(workflow);
}

export function endedByForce(workflow: RecoverySummary['workflow']): boolean {
	return workflow === 'TERMINATED' || workflow === 'CANCELLED' || workflow === 'TIMED_OUT';
}

/** Nothing drives it any more, and its host may have its machine all the same. */
export function mayBeLeft({ phase, workflow }: Pick<RecoverySummary, 'phase' | 'workflow'>): boolean {
	return phase === 'finished' || endedByForce(workflow);
}

/** Throws what {@link Recoveries.waitFor} throws about a recovery that will not come to `phase` by itself. */
export function hasReached(now: RecoverySummary, phase: Phase, throughParked: boolean): boolean {
	if (now.phase === phase) return true;
	if (phaseOrder.includes(phase) && phaseOrder.indexOf(now.phase) >= phaseOrder.indexOf(phase)) return true;
	const { name, workflow } = now;
	const { failure = null, parked = null } = now.status ?? {};
	if (now.phase === 'failed')
		throw new RouseError(failure?.code ?? 'internal', failure?.message ?? `recovery ${name} failed`, {
			hint: failure?.hint,
			details: { recovery: name, phase: 'failed' },
		});
	if (workflow !== 'RUNNING' && workflow !== 'CONTINUED_AS_NEW')
		throw new RouseError('phase_wrong', `recovery ${name} is ${now.phase} (workflow ${workflow.toLowerCase()})`);
	if (parked && !throughParked) {
		const { order, first } = parked.next;
		throw new RouseError('parked', `recovery ${name} is parked (${parked.code}): ${parked.reason}`, {
			details: { recovery: name, code: parked.code, next: order, ...(first === undefined ? {} : { first }) },
		});
	}
	return false;
}
