import type { ControlActivities } from '../activities/control-activities.ts';
import type { HostActivities } from '../activities/host-activities.ts';
import type { HeldLease } from '../model/broker.ts';
import { lastIncidents, mergeIncidents } from '../model/incidents.ts';
import type {
	Incident,
	Parked,
	Phase,
	Place,
	Policy,
	Power,
	PowerAction,
	RecoveryPlan,
	RecoveryRequest,
	RecoveryStatus,
	Timings,
} from '../model/recovery.ts';
import type { ErrorDocument } from '../model/errors.ts';
import type { ReadinessState } from '../model/readiness.ts';
import type { Asked } from './contracts.ts';
import { noRecoveryLeases, type RecoveryLeases } from './lease-state.ts';
import type { ToldBatch } from './told-batch.ts';

/** Named as the activity that does it; orders, what a pin that fails leads to, and what goes on beside the steps are none. */
export type WorkflowStep = Exclude<
	keyof ControlActivities | keyof HostActivities,
	| 'power'
	| 'retry'
	| 'undo'
	| 'answer'
	| 'unpinned'
	| 'oweUnpin'
	| 'askBroker'
	| 'heldLeases'
	| 'closedHolders'
	| 'deliverGrants'
	| 'checkReadiness'
	| 'runTest'
	| 'lookAtMachine'
>;

/** What a host that was left may have: undone there by a workflow of its own. */
export interface OwedUndo extends Place {
	/** All that the host was asked is below. */
	generation: number;
	/** Of its place there. */
	lease: HeldLease | null;
	/** Why it was not done: the machine may be there. */
	refusal: ErrorDocument | null;
}

/** The later one has the higher number. */
export interface PowerOrder {
	action: PowerAction;
	number: number;
}

/**
 * All that a recovery knows. Plain JSON: it is the input of the next run after continue-as-new (a `Map` would arrive as
 * `{}`), and that run skips what is in `done`.
 */
export interface WorkflowState {
	recoveryId: string;
	phase: Phase;
	/** Raised before every new step, retry, switch and discard; attempts of one activity share it. */
	generation: number;
	done: WorkflowStep[];
	/** Set before the pin is asked for: one whose outcome is unknown is taken away like one that stands. */
	mayBePinned: boolean;
	/** From the step on that asks for it nothing is undone any more. */
	powerScheduled: boolean;
	plan: RecoveryPlan | null;
	/** Where it runs, or is to run; null over a pool, as long as no lease has named a host. */
	place: Place | null;
	leases: RecoveryLeases;
	/** Hosts that were left, and have not said yet that nothing is there. */
	owed: OwedUndo[];
	/** A step of this workflow cannot go on. */
	parked: Parked | null;
	/** The host says that the machine or its copy cannot go on; the workflow's steps may. */
	blocked: Parked | null;
	/** Copied on when its host last reported: one that is blocked is not through with its stream then. */
	copiesOn: boolean;
	/** Its host was told to copy and has not said that it does not any more, so somebody's stream is taken up. */
	mayCopy: boolean;
	/** A person has said `retry`: the host is to try again what it has given up before the next step is. */
	retryOnHost: boolean;
	/** Why all is to be taken back, while the host has no room to record that it does so. */
	undoing: ErrorDocument | null;
	/** Set by a batch that does not want it to run any more, before it did. */
	takenBack: Asked | null;
	/** The workflow was cancelled, and nothing has heeded it yet. */
	cancelRequested: boolean;
	power: Power;
	/** Orders for the host: the number of the last that was given for its power, and what is not known to be carried out. */
	orders: { given: number; power: PowerOrder | null; retry: boolean };
	policy: Policy;
	wanted: { migrate: boolean; switch: boolean; discard: Asked | null; abandon: Asked | null };
	timings: Timings;
	readiness: ReadinessState;
	/** Whom it tells what becomes of it. */
	batches: ToldBatch[];
	restoredBytes: number | null;
	incidents: Incident[];
	failure: RecoveryStatus['failure'];
}

/**
 * The state with which a run goes on that an earlier one has begun. That one may have run older code: what it did not know
 * is as at the start.
 */
export function stateGoingOn(request: RecoveryRequest, handedOver: WorkflowState): WorkflowState {
	const { recoveryId, timings } = handedOver;
	// To take back a pin that is not there is no fault, nor to pause what does not copy.
	const first = { ...firstState(request, recoveryId, timings.requestedAt), mayBePinned: true, mayCopy: true };
	return { ...first, ...handedOver, wanted: { ...first.wanted, ...handedOver.wanted } };
}

export function firstState(request: RecoveryRequest, recoveryId: string, requestedAt: string): WorkflowState {
	return {
		recoveryId,
		phase: 'planned',
		generation: 0,
		done: [],
		mayBePinned: false,
		powerScheduled: false,
		plan: null,
		place: request.pool ? null : { host: request.host, hostId: request.hostId },
		leases: noRecoveryLeases(),
		owed: [],
		parked: null,
		blocked: null,
		copiesOn: false,
		mayCopy: false,
		retryOnHost: false,
		undoing: null,
		takenBack: null,
		cancelRequested: false,
		power: 'off',
		orders: { given: 0, power: null, retry: false },
		policy: request.policy,
		wanted: { migrate: false, switch: false, discard: null, abandon: null },
		timings: { requestedAt },
		readiness: { is: 'waiting', until: null, code: null, reason: null },
		batches: [],
		restoredBytes: null,
		incidents: [],
		failure: null,
	};
}

export function statusOf(request: RecoveryRequest, state: WorkflowState): RecoveryStatus {
	return {
		name: request.name,
		recoveryId: state.recoveryId,
		machine: request.machine,
		machineName: request.machineName,
		restorePoint: request.restorePoint,
		host: state.place?.host ?? null,
		phase: state.phase,
		parked: state.parked ?? state.blocked,
		power: state.power,
		policy: state.policy,
		generation: state.generation,
		timings: state.timings,
		readiness: state.readiness,
		incidents: state.incidents,
		failure: state.failure,
	};
}

/** Not once it has switched: what comes then is no affair of movers, and the host may have buried the recovery. */
export function mayAskHost({ powerScheduled, phase, done }: WorkflowState): boolean {
	return powerScheduled && phase !== 'discarding' && phase !== 'abandoning' && !done.includes('switchToTarget');
}

/** Far above what a recovery meets. */
const keptIncidents = 500;

/** The oldest go first. */
export function addIncidents(state: WorkflowState, more: readonly Incident[]): void {
	state.incidents = lastIncidents(mergeIncidents(state.incidents, more), keptIncidents);
}
