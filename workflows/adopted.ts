import { phaseOnHost } from '../model/adoption.ts';
import type { RecoveryRequest } from '../model/recovery.ts';
import { type Adopted, generationsUnderway } from './contracts.ts';
import { firstState, type WorkflowState, type WorkflowStep } from './state.ts';

/** The supervisor's steps in the workflow's spelling. */
const stepsOnHost: Readonly<Record<string, WorkflowStep>> = {
	reserve: 'reserve',
	allocate: 'allocate',
	'create-machine': 'createMachine',
	'start-movers': 'startMovers',
	snapshot: 'snapshot',
	'power-on': 'powerOn',
};

/** The state with which a workflow goes on at the place that the host has come to; what nobody knows any more is as at the start. */
export function adoptedState(request: RecoveryRequest, { host, policy }: Adopted, adoptedAt: string): WorkflowState {
	const { plan, powerOnScheduled, copy, switch: switched, lease } = host;
	const first = firstState(request, host.recoveryId, adoptedAt);
	const poweredOn = host.done.includes('power-on');
	return {
		...first,
		phase: phaseOnHost(host),
		generation: host.generation + generationsUnderway,
		done: stepsDone(first.done, host),
		mayBePinned: plan !== null,
		powerScheduled: powerOnScheduled,
		plan,
		place: { host: request.host, hostId: request.hostId },
		// Under the lost workflow's name: who ends the recovery gives it back.
		leases: { ...first.leases, held: lease ? [lease] : [] },
		// A generation of this workflow's own reaches the host before anything is waited for: from there on the host refuses
		// what the lost one had sent. And what the host had given up is tried again: who was to say `retry` was asked of the
		// lost workflow.
		mayCopy: copy.wanted && !host.restored,
		retryOnHost: poweredOn && switched.stage === 'none',
		power: host.power,
		orders: { ...first.orders, given: host.powerOrder },
		policy: { ...first.policy, ...(copy.wanted ? { maxRateBytes: copy.maxRateBytes } : {}), ...policy },
		wanted: {
			migrate: copy.wanted || switched.stage !== 'none',
			switch: switched.stage !== 'none',
			discard: null,
			abandon: null,
		},
		timings: {
			...first.timings,
			...(switched.stage === 'done' ? { switchPauseMs: switched.pauseMs ?? 0 } : {}),
		},
	};
}

function stepsDone(first: readonly WorkflowStep[], host: Adopted['host']): WorkflowStep[] {
	const { plan, powerOnScheduled, abandoned, restored, copy, switch: switched } = host;
	const done = new Set<WorkflowStep>([...first, 'reserve']);
	if (plan) done.add('plan');
	if (plan?.hardware) done.add('chooseHardware');
	// Its pin was given back with it.
	if (powerOnScheduled && !(abandoned && switched.stage === 'none')) done.add('pin');
	for (const step of host.done) {
		const known = stepsOnHost[step];
		if (known) done.add(known);
	}
	if (switched.stage !== 'none' || (copy.wanted && restored)) done.add('migrateChunks');
	if (switched.stage === 'done') done.add('switchToTarget');
	return [...done];
}
