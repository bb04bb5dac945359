/** What clients, workers and the recovery workflow say to each other: names, messages, places. No I/O, no state. */
import { defineSearchAttributeKey } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Adoption } from '../model/adoption.ts';
import type { HeldLease } from '../model/broker.ts';
import type { ErrorDocument } from '../model/errors.ts';
import type {
	Blocked,
	DiskProgress,
	Incident,
	Policy,
	Power,
	PowerAction,
	RecoveryRequest,
	RecoveryStatus,
} from '../model/recovery.ts';

export const recoveryWorkflow = 'recovery';
export const askHostWorkflow = 'askHost';
export const owedUndoWorkflow = 'owedUndo';
export const selftestWorkflow = 'selftestHost';

export function recoveryWorkflowId(name: string): string {
	return `recovery/${name}`;
}

/** One for each time that a recovery leaves a host. */
export function owedUndoWorkflowId(
	host: string,
	{ name, recoveryId, generation }: { name: string; recoveryId: string; generation: number },
): string {
	return `owed-undo/${name}/${host}/${recoveryId}/${generation}`;
}

/** Of which recovery, and of which host, a workflow of this id is; undefined of any other id. */
export function owedUndoOf(workflowId: string): { recovery: string; host: string; recoveryId: string } | undefined {
	const [kind, recovery, host, recoveryId] = workflowId.split('/');
	if (kind !== 'owed-undo' || recovery === undefined || host === undefined || recoveryId === undefined)
		return undefined;
	return { recovery, host, recoveryId };
}

/** Of a recovery that begins, for Temporal's own lists. */
export function summaryOf({ machine, restorePoint, host, pool }: RecoveryRequest): string {
	const where = pool ? `one of ${pool.map(place => place.host).join(', ')}` : host;
	return `${machine}@${restorePoint} on ${where}`;
}

export function recoveryNameOf(workflowId: string): string {
	return workflowId.slice(workflowId.indexOf('/') + 1);
}

/**
 * What watches for long, copying and checks of readiness, has a queue of its own: a power-on never waits behind it. Whether the
 * host is there is asked on both.
 */
export const taskQueues = {
	control: 'control',
	/** Copies of imports: they last for hours, and a plan never waits behind one. */
	controlCopy: 'control-copy',
	host: (hostId: string) => `host-${hostId}`,
	hostCopy: (hostId: string) => `host-${hostId}-copy`,
} as const;

/** All are Keyword: SQL visibility has ten such columns in a namespace, and ids need no full-text search. */
export const searchAttributes = {
	machine: defineSearchAttributeKey('RouseMachine', 'KEYWORD'),
	host: defineSearchAttributeKey('RouseHost', 'KEYWORD'),
	phase: defineSearchAttributeKey('RousePhase', 'KEYWORD'),
	/** The code of what parked it; unset while it is not parked. */
	parked: defineSearchAttributeKey('RouseParked', 'KEYWORD'),
	/** Who asked for it. */
	owner: defineSearchAttributeKey('RouseOwner', 'KEYWORD'),
	/** Name of the batch: its own, and that of the recoveries that it started. */
	batch: defineSearchAttributeKey('RouseBatch', 'KEYWORD'),
} as const;

export interface RecoveryInput {
	request: RecoveryRequest;
	/** SHA-256 of the normalised request: the sandbox has no crypto, so the client makes it. */
	requestHash: string;
	/** It asks the broker of the site for what it takes up; else its host alone says whether there is room. */
	broker?: true;
	/** Name of the batch that started it, and is told what becomes of it. */
	batch?: string;
	/** Set when an earlier workflow of this recovery is lost: this one goes on where the host is. */
	adopt?: Adopted;
}

/** Who takes up again what its host knew of a recovery, and with what changes of its policy. */
export interface Adopted extends Asked {
	host: Omit<Adoption, 'request'>;
	policy?: Partial<Policy>;
}

/** Readable without any worker. `status` is as of the last change that a person can see. */
export type RecoveryMemo = {
	request: RecoveryRequest;
	requestHash: string;
	recoveryId?: string;
	status?: RecoveryStatus;
	/** What a broker has granted and has not got back. */
	leases?: HeldLease[];
};

/** How the workflow ends when it does not fail. */
export interface RecoveryResult {
	phase: 'finished' | 'discarded' | 'abandoned';
	status: RecoveryStatus;
	/** All that was seen, coalesced: outlives the host's log. */
	incidents: Incident[];
}

/** Who asks, and why: it stays in the history. */
export interface Asked {
	by: string;
	reason?: string;
}

export const migrateUpdate = defineUpdate<RecoveryStatus, [Asked]>('migrate');
export const switchUpdate = defineUpdate<RecoveryStatus, [Asked]>('switch');
/** `confirm` is the name of the recovery, typed by a person. */
export const discardUpdate = defineUpdate<RecoveryStatus, [Asked & { confirm: string }]>('discard');
/** Gives up a host that does not answer; `confirm` as for a discard. Refused while its worker answers. */
export const abandonUpdate = defineUpdate<RecoveryStatus, [Asked & { confirm: string }]>('abandon');
export const setPolicyUpdate = defineUpdate<RecoveryStatus, [Asked & { policy: Partial<Policy> }]>('setPolicy');
export const powerUpdate = defineUpdate<RecoveryStatus, [Asked & { action: PowerAction }]>('power');
export const retryUpdate = defineUpdate<RecoveryStatus, [Asked]>('retry');
export const statusQuery = defineQuery<RecoveryStatus>('status');

/** What the host worker saw change: power and `blocked` at once, incidents at most once a minute. */
export interface HostReport {
	recoveryId: string;
	/** The host that tells; absent from a worker of before. */
	hostId?: string;
	power: Power;
	blocked: Blocked | null;
	/** Number of the latest order for power that it has begun, which may have been given there. */
	powerOrder?: number;
	/** Its disks are being copied there, whatever blocks it. */
	copying?: boolean;
	/** Those that no earlier report brought; one that comes again replaces the earlier with its sequence. */
	incidents: Incident[];
	restoredBytes?: number;
}
/**
 * A host that was left has nothing of the recovery any more; or refuses to undo it, since it was powered on there; or was given
 * up by a person, and is not to be asked again.
 */
export const undoneSignal =
	defineSignal<[{ recoveryId: string; hostId: string; generation: number; refusal?: ErrorDocument; givenUp?: Asked }]>(
		'undone',
	);

/** To the workflow of a host that is owed an undo, and gone for good: it ends. What the host has stays there. */
export const giveUpSignal = defineSignal<[Asked]>('giveUp');

/** Of a host that is owed an undo: readable without any worker. */
export type OwedUndoMemo = {
	/** When it was left. */
	since: string;
};

export const hostReportSignal = defineSignal<[HostReport]>('hostReport');

/**
 * Attempts of a workflow that is lost or has given its host up may still be on their way there, with generations that the
 * host has not seen. Each of its steps and retries took one, and one after the other waited for the host: far fewer than this.
 */
export const generationsUnderway = 100;

/** Heartbeat details of a slice of the migration. */
export interface SliceProgress {
	restoredBytes: number;
	disks: DiskProgress[];
}
