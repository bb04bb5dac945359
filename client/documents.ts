import type { WorkflowExecutionStatusName } from '@temporalio/client';
import { RouseError } from '../model/errors.ts';
import { mergeIncidents } from '../model/incidents.ts';
import type { Readiness, ReadinessState } from '../model/readiness.ts';
import type {
	DiskProgress,
	Forward,
	Incident,
	Parked,
	Phase,
	PlannedNic,
	Policy,
	Power,
	RecoveryRequest,
	Timings,
} from '../model/recovery.ts';
import type { SupervisorClient } from '../supervisor/client.ts';
import type { RecoveryView } from '../supervisor/protocol.ts';
import type { Config } from '../system/installation.ts';
import type { Broker } from './broker.ts';
import { type HolderStanding, standingOf } from './holder-standing.ts';
import { type NextStep, nextSteps } from './next-steps.ts';
import type { OwedUndos } from './owed-undos.ts';
import { hasEnded, reportedPower } from './phases.ts';
import type { Recoveries } from './recoveries.ts';
import { isRemoved } from './removed-machine.ts';
import { unsealedByHost } from './sealed.ts';
import type { PendingStep, RecoveryDetails, RecoverySummary } from './summaries.ts';

/** Who is asked: Temporal, and the supervisor of the host. */
export interface Sources {
	recoveries: Pick<Recoveries, 'show' | 'history'>;
	/** How hosts fare that it has left. */
	owedUndos?: Pick<OwedUndos, 'histories'>;
	/** Asked about one that may wait for it. */
	broker?: Pick<Broker, 'view'>;
	supervisor: Pick<SupervisorClient, 'adoption' | 'host' | 'incidents' | 'recovery'>;
	/** Which hosts are other machines: their supervisors are out of reach here. */
	config?: Pick<Config, 'hosts'>;
}

/** Everything about a recovery; docs/cli.md lists the fields. */
export interface RecoveryDocument {
	name: string;
	recoveryId: string | null;
	machine: string | null;
	machineName: string | null;
	restorePoint: string | null;
	host: string | null;
	phase: Phase;
	/** Temporal's word: a workflow that was ended by force keeps its phase. */
	workflow: WorkflowExecutionStatusName;
	parked: Parked | null;
	power: Power | null;
	policy: Policy | null;
	/** Ports of the host that lead to the guest. */
	forwards: Forward[];
	/** Where its network cards lead, as the host tells; empty when it does not answer, and before there is a plan. */
	nics: PlannedNic[];
	/** Networks of the original that lead nowhere since nobody said where; empty once the machine is finished. */
	unmapped: string[];
	disks: DiskProgress[];
	asOf: string;
	timings: Timings;
	/** What its machine is asked before it counts as ready; null: it is that when it is powered on. */
	ready: Readiness | null;
	/** How ready it is; null when nobody has told. */
	readiness: ReadinessState | null;
	incidents: Incident[];
	failure: { code: string; message: string; hint?: string | undefined } | null;
	/** Names and places of the platform's own, for a person who looks into the machine; empty before there is one. */
	platform: Record<string, string>;
	/** Those of `platform`, where it has them, under the names by which they were told first. */
	consoleSocket: string | null;
	vncSocket: string | null;
	qmpSocket: string | null;
	directory: string | null;
	/** Why the restore point is not pinned, as the host tells; null as well when it does not answer. */
	unpinned: RecoveryView['unpinned'];
	/** How far what it fetches first is fetched, as the host tells; null when there is none, or its disks are local. */
	firstReads: RecoveryView['firstReads'];
	/** What it waits for at present, as the host tells; it goes on by itself when that is back. */
	stalled: RecoveryView['stalled'];
	/** What holds its copy back at present, as the host tells; empty while nothing is copied. */
	copyLimits: RecoveryView['copyLimits'];
	/** What it holds and waits for, as the site's broker says; null when that was not asked, or does not answer. */
	broker: HolderStanding | null;
	/** Steps that are being done or wait for their next attempt. */
	pending: PendingStep[];
	/** The machine of a finished recovery is not on its host any more, as the host tells. */
	removed: boolean;
	/** `memo`: no worker answered, and this is what was known at the last change. */
	statusFrom: 'worker' | 'memo';
	/** Whether the host's supervisor told of it; without it disks are as of the last heartbeat. */
	hostAnswers: boolean;
	/** Its host is another machine: what is told of it is what its worker has reported. */
	hostElsewhere: boolean;
	next: NextStep[];
}

/** Everything about a recovery: from Temporal, and from its broker and the supervisor of its host when they answer. */
export async function readDocument(sources: Sources, name: string): Promise<RecoveryDocument> {
	const document = await readWithoutBroker(sources, name);
	return { ...document, broker: await askBroker(sources.broker, document) };
}

/** In the others it has all that it wants of the site, or nothing. */
const mayWait: readonly Phase[] = ['planned', 'waiting', 'starting', 'running', 'migrating'];

async function askBroker(
	broker: Sources['broker'],
	{ name, phase, workflow, statusFrom }: RecoveryDocument,
): Promise<RecoveryDocument['broker']> {
	// Where no worker answers for the recovery, none does for the broker.
	if (broker === undefined || workflow !== 'RUNNING' || statusFrom === 'memo' || !mayWait.includes(phase)) return null;
	return standingOf(broker, { recovery: name });
}

async function readWithoutBroker({ recoveries, supervisor, config }: Sources, name: string): Promise<RecoveryDocument> {
	const { summary: details } = await unsealedByHost(await recoveries.show(name), supervisor);
	const elsewhere = Object.values(config?.hosts ?? {}).map(({ id }) => id);
	// Another one may have a recovery of this name here.
	if (elsewhere.includes(details.request?.hostId ?? ''))
		return { ...makeDocument(details, undefined, undefined), hostElsewhere: true };
	const view = await viewOf(() => supervisor.recovery(name, { timeoutMs: 2_000 }), details.recoveryId);
	if (!view && details.phase === 'finished') {
		const removed = await unlessAway(async () => {
			const { hostId } = await supervisor.host({ timeoutMs: 2_000 });
			return isRemoved(supervisor, hostId, details);
		});
		return makeDocument(details, undefined, undefined, removed);
	}
	const seen = view ? await unlessAway(() => supervisor.incidents(name, 0, { timeoutMs: 2_000 })) : undefined;
	return makeDocument(details, view, seen);
}

export function makeDocument(
	details: RecoveryDetails,
	view: RecoveryView | undefined,
	seen: Incident[] | undefined,
	removed = false,
): RecoveryDocument {
	const { request, status } = details;
	// Nothing of it is left: the last heartbeat spoke of what was removed since.
	const gone = removed || details.phase === 'discarded' || details.phase === 'failed';
	const base = {
		name: details.name,
		recoveryId: details.recoveryId ?? null,
		machine: request?.machine ?? status?.machine ?? null,
		machineName: request?.machineName ?? status?.machineName ?? null,
		restorePoint: request?.restorePoint ?? status?.restorePoint ?? null,
		host: hostOf(details),
		phase: details.phase,
		workflow: details.workflow,
		parked: status?.parked ?? null,
		// The supervisor sees the machine itself; the workflow knows what was reported to it.
		power: view?.power ?? reportedPower(details),
		policy: status?.policy ?? request?.policy ?? null,
		forwards: request?.forwards ?? [],
		nics: view?.nics ?? [],
		unmapped: hasEnded(details) ? [] : unmappedOf(view?.nics ?? [], request?.networks ?? {}),
		disks: view?.disks ?? (gone ? undefined : details.disks) ?? [],
		asOf: details.asOf,
		timings: status?.timings ?? { requestedAt: details.requestedAt },
		ready: request?.readiness ?? null,
		readiness: status?.readiness ?? null,
		// The log's line for a sequence is newer than what the workflow was told of it.
		incidents: mergeIncidents(status?.incidents ?? [], seen ?? []),
		failure: status?.failure ?? null,
		platform: view?.platform ?? {},
		consoleSocket: view?.platform['consoleSocket'] ?? null,
		vncSocket: view?.platform['vncSocket'] ?? null,
		qmpSocket: view?.platform['qmpSocket'] ?? null,
		directory: view?.directory ?? null,
		unpinned: view?.unpinned ?? null,
		firstReads: view?.firstReads ?? null,
		stalled: view?.stalled ?? null,
		copyLimits: view?.copyLimits ?? [],
		broker: null,
		pending: hasEnded(details) ? [] : details.pending,
		removed,
		statusFrom: details.statusFrom,
		hostAnswers: view !== undefined,
		hostElsewhere: false,
	};
	return { ...base, next: nextSteps(base) };
}

/** None of a pool before it has a place: the request names the first one until then. */
function hostOf({ request, status }: Pick<RecoverySummary, 'request' | 'status'>): string | null {
	if (request?.pool) return status?.host ?? null;
	return request?.host ?? status?.host ?? null;
}

/** Not those of which the request says `none`. */
function unmappedOf(nics: readonly PlannedNic[], asked: RecoveryRequest['networks']): string[] {
	const silent = nics.filter(({ network, target }) => target === 'none' && !Object.hasOwn(asked, network));
	return [...new Set(silent.map(({ network }) => network))];
}

/** One of a list of recoveries. */
export interface RecoveryRow {
	name: string;
	recoveryId: string | null;
	machine: string | null;
	restorePoint: string | null;
	host: string | null;
	phase: Phase;
	parked: Parked | null;
	/** As in the whole document; null as well when its host does not answer. */
	stalled: RecoveryView['stalled'];
	power: Power | null;
	requestedAt: string;
	closedAt: string | null;
	/** Temporal's word: a workflow that was ended by force keeps its phase. */
	workflow: WorkflowExecutionStatusName;
}

/** `power`: as the host sees it, where it was asked. */
export function rowOf(
	summary: RecoverySummary,
	power: Power | null = reportedPower(summary),
	stalled: RecoveryView['stalled'] = null,
): RecoveryRow {
	const { name, recoveryId, request, status, phase, requestedAt, closedAt, workflow } = summary;
	return {
		name,
		recoveryId: recoveryId ?? null,
		machine: request?.machine ?? null,
		restorePoint: request?.restorePoint ?? null,
		host: hostOf(summary),
		phase,
		parked: status?.parked ?? null,
		stalled,
		power,
		requestedAt,
		closedAt: closedAt ?? null,
		workflow,
	};
}

/** What the host has under this name, if it is this recovery and not an older one. */
async function viewOf(
	look: () => Promise<RecoveryView>,
	recoveryId: string | undefined,
): Promise<RecoveryView | undefined> {
	const view = await unlessAway(look);
	return view && view.recoveryId === recoveryId ? view : undefined;
}

async function unlessAway<T>(look: () => Promise<T>): Promise<T | undefined> {
	try {
		return await look();
	} catch (error) {
		if (error instanceof RouseError && (error.code === 'supervisor_unreachable' || error.code === 'recovery_unknown'))
			return undefined;
		throw error;
	}
}
