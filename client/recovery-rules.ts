/** What a name, a request and a phase mean to somebody who starts a recovery or waits for it. Pure. */
import { createHash } from 'node:crypto';
import { RouseError } from '../model/errors.ts';
import { type Phase, type Power, type RecoveryRequest, terminalPhases } from '../model/recovery.ts';
import { nextText } from './recover/parked-text.ts';
import type { RecoverySummary } from './recovery-view.ts';

export type StartOutcome = 'started' | 'attached' | 'already_finished';

/** Phases in the order of the story; a failed or discarded recovery is never at or past another phase. */
const order: readonly Phase[] = [
	'planned',
	'waiting',
	'starting',
	'running',
	'migrating',
	'migrated',
	'switching',
	'finished',
];

/**
 * The same request is the same recovery, whoever asks and why: `requestedBy` and `reason` do not count. Keys are sorted,
 * so that the order in which a client wrote them does not either.
 */
export function hashRequest(request: RecoveryRequest): string {
	const { requestedBy: _by, reason: _reason, ...what } = request;
	return createHash('sha256')
		.update(JSON.stringify(what, (_key, value: unknown) => (isRecord(value) ? sorted(value) : value)))
		.digest('hex');
}

export function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sorted(record: Record<string, unknown>): Record<string, unknown> {
	return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * What to do about a recovery that has the name: an outcome, or undefined for "start a new one". `removed`: it is finished,
 * and its machine is not on the host any more.
 */
export function decideStart(
	existing: RecoverySummary,
	requestHash: string,
	{ again, removed }: { again: boolean; removed: boolean },
): Exclude<StartOutcome, 'started'> | undefined {
	const { name, phase, workflow } = existing;
	const same = existing.requestHash === requestHash;
	if (workflow === 'FAILED') return undefined;
	if (workflow === 'COMPLETED' && phase === 'discarded') {
		if (again) return undefined;
		throw conflict(name, 'was discarded', 'use the name again with --again, or choose another with --name');
	}
	if (workflow === 'COMPLETED' && same && !again) return 'already_finished';
	if (workflow === 'COMPLETED' && removed && again) return undefined;
	if (workflow === 'COMPLETED')
		throw conflict(
			name,
			'is finished, and its machine has the name',
			`choose another with --name, or remove the machine and say --again: rouse host remove ${name} --confirm ${name}`,
		);
	if (workflow !== 'RUNNING')
		throw conflict(
			name,
			`was ended by force in Temporal (${workflow.toLowerCase()}); its machine may still run`,
			`look at the host: rouse host list`,
		);
	if (same) return 'attached';
	throw conflict(name, `is ${phase} with another request`, `rouse recover show ${name}, or choose another --name`);
}

function conflict(name: string, what: string, hint: string): RouseError {
	return new RouseError('name_conflict', `recovery ${name} ${what}`, { hint });
}

/** Why no workflow takes the order any more, and where its wish is fulfilled instead. `wish` is the order as the command line calls it. */
export function tooLate({ name, phase, workflow }: RecoverySummary, wish: string): RouseError {
	if (endedByForce(workflow))
		return new RouseError(
			'phase_wrong',
			`recovery ${name} was ended by force in Temporal (${workflow.toLowerCase()}): no ${wish} reaches it; its machine may still run`,
			{ hint: 'look at the host: rouse host list' },
		);
	return new RouseError('phase_wrong', `recovery ${name} is ${phase}: it is too late for ${wish}`, {
		hint: phase === 'finished' ? afterFinish(name, wish) : undefined,
	});
}

function afterFinish(name: string, wish: string): string | undefined {
	if (wish === 'power') return `its power: rouse host start ${name}, rouse host stop ${name}`;
	if (wish === 'discard') return `the machine is yours; to remove it: rouse host remove ${name} --confirm ${name}`;
	return undefined;
}

/** Whoever finished it told of the power then; since that moment the host alone knows. */
export function reportedPower({ phase, status }: Pick<RecoverySummary, 'phase' | 'status'>): Power | null {
	return phase === 'finished' ? null : (status?.power ?? null);
}

/** Nothing more will happen to it: it came to its end, or its workflow was ended by force. */
export function hasEnded({ phase, workflow }: Pick<RecoverySummary, 'phase' | 'workflow'>): boolean {
	return terminalPhases.includes(phase) || endedByForce(workflow);
}

export function endedByForce(workflow: RecoverySummary['workflow']): boolean {
	return workflow === 'TERMINATED' || workflow === 'CANCELLED' || workflow === 'TIMED_OUT';
}

export function hasReached(now: RecoverySummary, phase: Phase, throughParked: boolean): boolean {
	if (now.phase === phase) return true;
	if (order.includes(phase) && order.indexOf(now.phase) >= order.indexOf(phase)) return true;
	const { failure = null, parked = null } = now.status ?? {};
	if (now.phase === 'failed')
		throw new RouseError(failure?.code ?? 'internal', failure?.message ?? `recovery ${now.name} failed`);
	if (now.workflow !== 'RUNNING' && now.workflow !== 'CONTINUED_AS_NEW')
		throw new RouseError(
			'phase_wrong',
			`recovery ${now.name} is ${now.phase} (workflow ${now.workflow.toLowerCase()})`,
		);
	if (parked && !throughParked)
		throw new RouseError('parked', `recovery ${now.name} is parked (${parked.code}): ${parked.reason}`, {
			hint: nextText(parked.next, parked.code, now),
			details: { code: parked.code, next: parked.next.order },
		});
	return false;
}
