import type { WorkflowExecutionStatusName } from '@temporalio/client';
import type { BatchPhase, ItemState, ItemView } from '../../model/batch-view.ts';
import type { BrokerView, WaitingView } from '../../model/broker-view.ts';
import type { RecoveryView } from '../../supervisor/protocol.ts';
import type { SupervisorClient } from '../../supervisor/client.ts';
import type { Batches, BatchSummary } from '../batches.ts';
import type { Broker } from '../broker.ts';
import { recoveryWorkflowId } from '../../workflows/contracts.ts';
import type { Recoveries } from '../recoveries.ts';
import type { RecoverySummary } from '../summaries.ts';

export interface BatchSources {
	batches: Pick<Batches, 'view'>;
	recoveries: Pick<Recoveries, 'list'>;
	supervisor: Pick<SupervisorClient, 'recoveries'>;
	broker: Pick<Broker, 'view'>;
}

export interface BatchItemDocument extends Omit<ItemView, 'startedMs' | 'readyMs'> {
	startedAt: string | null;
	readyAt: string | null;
	/** Of its disks, as far as this installation's host tells; null else. */
	sizeBytes: number | null;
	restoredBytes: number | null;
	host: string | null;
	/** Of one that the batch has found: where it came from, as far as Temporal tells. */
	origin: { batch: string | null; by: string | null; at: string } | null;
	/** What it waits for at present; null of one that goes on or is over. */
	waitsFor: string | null;
	/** What it asks the broker for, when it is among the first that wait. */
	lease: WaitingView | null;
}

/** Everything about a batch; docs/cli.md lists the fields. */
export interface BatchDocument {
	name: string;
	phase: BatchPhase;
	/** Temporal's word: one that was ended by force keeps its phase. */
	workflow: WorkflowExecutionStatusName;
	requestedBy: string | null;
	reason: string | null;
	startedAt: string;
	endedAt: string | null;
	window: number;
	counts: Record<ItemState, number>;
	items: BatchItemDocument[];
	/** When the broker told what its machines wait for; null when it did not answer. */
	broker: Pick<BrokerView, 'atMs' | 'rebuilding'> | null;
}

/** From the batch, from its recoveries as Temporal lists them, and from the supervisor when that answers. */
export async function readBatch(
	{ batches, recoveries, supervisor, broker }: BatchSources,
	name: string,
): Promise<BatchDocument> {
	const [{ summary, view }, list, views, shares] = await Promise.all([
		batches.view(name),
		recoveries.list(),
		supervisor.recoveries({ timeoutMs: 2_000 }).catch(() => []), // what is local is not known then
		broker.view({ limitMs: 2_000 }).catch(() => null), // nor what it waits for
	]);
	const known = new Map(list.map(recovery => [recovery.recoveryId, recovery]));
	const onHost = new Map(views.map(one => [one.recoveryId, one]));
	const leases = new Map(shares?.waiting.map(waiting => [waiting.holder.workflowId, waiting]));
	const items = view.items.map(item =>
		itemDocument(item, {
			recovery: known.get(item.recoveryId ?? ''),
			view: onHost.get(item.recoveryId ?? ''),
			lease: leases.get(recoveryWorkflowId(item.name)),
		}),
	);
	return batchDocument(summary, view, items, shares);
}

const noItems: Record<ItemState, number> = {
	waiting: 0,
	starting: 0,
	ready: 0,
	not_ready: 0,
	parked: 0,
	ended: 0,
	left_out: 0,
	refused: 0,
};

export function batchDocument(
	summary: BatchSummary,
	view: { phase: BatchPhase; startedMs: number; endedMs: number | null; window: number },
	items: BatchItemDocument[],
	shares: BrokerView | null,
): BatchDocument {
	const counts = { ...noItems };
	for (const { state } of items) counts[state] += 1;
	return {
		name: summary.name,
		phase: view.phase,
		workflow: summary.workflow,
		requestedBy: summary.requestedBy,
		reason: summary.reason,
		startedAt: new Date(view.startedMs).toISOString(),
		endedAt: isoOf(view.endedMs),
		window: view.window,
		counts,
		items,
		broker: shares && { atMs: shares.atMs, rebuilding: shares.rebuilding },
	};
}

interface Known {
	recovery?: RecoverySummary | undefined;
	view?: RecoveryView | undefined;
	lease?: WaitingView | undefined;
}

/** The batch is told of what matters to it alone: what its recovery is at, Temporal knows better. */
export function itemDocument({ startedMs, readyMs, ...item }: ItemView, known: Known): BatchItemDocument {
	const { recovery, view, lease = null } = known;
	const phase = recovery?.phase ?? item.phase;
	const sum = (of: 'sizeBytes' | 'restoredBytes') =>
		view === undefined || view.disks.length === 0 ? null : view.disks.reduce((total, disk) => total + disk[of], 0);
	return {
		...item,
		phase,
		startedAt: isoOf(startedMs),
		readyAt: isoOf(readyMs),
		sizeBytes: sum('sizeBytes'),
		restoredBytes: sum('restoredBytes'),
		host: hostOf(recovery),
		origin: item.own ? null : originOf(recovery),
		waitsFor: waitsFor(item, known),
		lease,
	};
}

/** Open, and not started by the batch: a discard leaves it, unless it is named. */
export function isForeign({ own, state }: Pick<BatchItemDocument, 'own' | 'state'>): boolean {
	return !own && ['starting', 'ready', 'not_ready', 'parked'].includes(state);
}

function originOf(recovery: RecoverySummary | undefined): BatchItemDocument['origin'] {
	if (recovery === undefined) return null;
	const { batch = null, request, requestedAt: at } = recovery;
	return { batch, by: request?.requestedBy ?? null, at };
}

/** Over a pool none is known before one was given. */
function hostOf(recovery: RecoverySummary | undefined): string | null {
	if (recovery === undefined) return null;
	const placed = recovery.request?.pool === undefined || !['planned', 'waiting'].includes(recovery.phase);
	return placed ? (recovery.status?.host ?? recovery.request?.host ?? null) : null;
}

function waitsFor({ state, reason }: Pick<ItemView, 'state' | 'reason'>, { recovery, view }: Known): string | null {
	if (state === 'waiting' || state === 'parked') return reason;
	if (recovery?.status?.parked) return recovery.status.parked.reason;
	if (view?.stalled) return view.stalled.reason;
	if (recovery?.phase === 'waiting') return 'a place on a host';
	return state === 'starting' && recovery?.phase === 'running' ? 'its readiness check' : null;
}

function isoOf(ms: number | null): string | null {
	return ms === null ? null : new Date(ms).toISOString();
}
