/** What holders, hosts, people and the broker say to each other. No I/O, no state. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { BrokerView } from '../model/broker-view.ts';
import type { CapacityReport, Grant, HeldLease, Holder, LeaseRequest, Release } from '../model/broker.ts';
import type { RefusalCode } from './broker/events.ts';
import type { Asked } from './contracts.ts';

export const brokerWorkflow = 'broker';

/** One for each installation: its hosts and repositories are one site. */
export const brokerWorkflowId = 'broker/site';

export interface BrokerInput {
	/** Who is expected to report before the first grant: `host/kvm1`, `repository/main`. */
	reporters: string[];
	/** What an earlier run hands to this one. */
	state?: unknown;
}

export const acquireSignal = defineSignal<[LeaseRequest]>('acquire');
export const releaseSignal = defineSignal<[Release]>('release');
/** `seenBy`: workflow id of the recovery that has its place there. */
export const hostAwaySignal = defineSignal<[{ host: string; seenBy: string }]>('hostAway');
export const capacityReportSignal = defineSignal<[CapacityReport]>('capacityReport');

/** To the holder, by its workflow id alone, so that the message finds the run which goes on. */
export const leaseGrantedSignal = defineSignal<[Omit<Grant, 'workflowId'>]>('leaseGranted');
export const leaseRefusedSignal = defineSignal<[{ requestId: string; code: RefusalCode }]>('leaseRefused');
export const leaseRevokedSignal = defineSignal<[Asked & { requestId: string }]>('leaseRevoked');

/** Null takes back what was set. */
export const setTotalUpdate = defineUpdate<void, [Asked & { resource: string; total: number | null }]>('setTotal');
export const prioritizeUpdate = defineUpdate<
	void,
	[Asked & { requestId: string; priority: number; deadlineMs: number | null }]
>('prioritize');
export const forceReleaseUpdate = defineUpdate<void, [Asked & { reason: string; requestId: string }]>('forceRelease');
export const forgetUpdate = defineUpdate<void, [Asked & { reporter: string }]>('forget');
/** With the first 100 of those that wait; of one holder, with its requests and leases alone. */
export const brokerViewQuery = defineQuery<BrokerView, [{ workflowId?: string }?]>('view');

/** What the broker asks of the world. */
export interface BrokerActivities {
	/** What all open recoveries and imports hold. */
	heldLeases(input: Record<string, never>): Promise<HeldLease[]>;
	/** Of these, those that are closed, missing, or another run under the same id: by describing them, since lists lag. */
	closedHolders(input: { holders: readonly Holder[] }): Promise<Holder[]>;
	/**
	 * Tells holders of grants, as the signal does. Ids of those that met nobody; `once`: nobody was told of any of them before,
	 * by an attempt that did not come to its end.
	 */
	deliverGrants(input: { grants: readonly Grant[] }): Promise<{ nobody: string[]; once: boolean }>;
}

/** What it asks of a host, by the host's own worker. */
export interface BrokerHostActivities {
	/**
	 * Of these, those of which nothing runs on the host; it will let nothing of them begin any more. A report that counts
	 * what it goes on running without them has reached the broker before.
	 */
	leasesGone(input: { hostId: string; requestIds: readonly string[] }): Promise<string[]>;
}
