import { type Conflict, conflictsOf, hostsOf, type Occupied } from '../../client/batch/conflicts.ts';
import { dataBytesOf, type Demand, demandsOf } from '../../client/batch/demand.ts';
import { type Estimate, estimateOf } from '../../client/batch/estimate.ts';
import type { Expansion } from '../../client/batch/expand.ts';
import type { Places } from '../../client/batch/play-through.ts';
import type { PoolHost } from '../../client/requests.ts';
import type { Found } from '../../client/batch/existing.ts';
import { wavesOf } from '../../client/batch/waves.ts';
import type { BatchPlan } from '../../model/batch.ts';
import type { ErrorDocument } from '../../model/errors.ts';
import type { Readiness } from '../../model/readiness.ts';
import type { ItemPlan } from './item-plans.ts';

export interface PlannedItem {
	name: string;
	machine: string;
	restorePoint: string;
	group: string;
	hosts: string[];
	cpus: number;
	memoryMiB: number;
	diskBytes: number;
	dataBytes: number;
	priority: number;
	deadline: string | null;
	readiness: Readiness | null;
	/** What is there under its name; null when it is free. */
	existing: 'attached' | 'already_finished' | 'refused' | null;
	/** Why it would not start. */
	problem: ErrorDocument | null;
	warnings: string[];
}

/** `batch start --dry-run --json`; docs/cli.md lists the fields. */
export interface BatchPlanDocument {
	name: string;
	window: number;
	onFailure: BatchPlan['onFailure'];
	/** Names of groups, those that may start together in one list. */
	waves: string[][];
	groups: BatchPlan['groups'];
	/** In the order in which they start. */
	items: PlannedItem[];
	/** What they take of the hosts that they may go to. */
	demands: Demand[];
	conflicts: Conflict[];
	estimate: Estimate;
	/** Of the batch as a whole. */
	warnings: string[];
}

export function planDocument(
	{ plan, warnings }: Expansion,
	planned: readonly ItemPlan[],
	{
		hosts,
		occupied,
		places,
		foundOf,
	}: {
		hosts: ReadonlyMap<string, PoolHost>;
		places: Places;
		occupied: readonly Occupied[];
		foundOf: (name: string) => Found;
	},
): BatchPlanDocument {
	const waves = wavesOf(plan.groups).map(wave => wave.map(({ name }) => name));
	const order = waves.flat();
	const inOrder = planned.toSorted((a, b) => order.indexOf(a.item.group) - order.indexOf(b.item.group));
	const wanted = inOrder.map(({ item }) => item);
	return {
		name: plan.name,
		window: plan.window,
		onFailure: plan.onFailure,
		waves,
		groups: plan.groups,
		items: inOrder.map(one => plannedItem(one, foundOf(one.item.request.name))),
		demands: demandsOf(wanted, hosts),
		conflicts: conflictsOf(wanted, occupied),
		estimate: estimateOf(plan, wanted, places),
		warnings,
	};
}

function plannedItem({ item, warnings, problem }: ItemPlan, found: Found): PlannedItem {
	const { request, point, group } = item;
	return {
		name: request.name,
		machine: request.machine,
		restorePoint: request.restorePoint,
		group,
		hosts: hostsOf(request),
		cpus: request.cpus ?? point.config.cpus,
		memoryMiB: request.memoryMiB ?? point.config.memoryMiB,
		diskBytes: point.disks.reduce((sum, disk) => sum + disk.sizeBytes, 0),
		dataBytes: dataBytesOf(item),
		priority: request.priority ?? 3,
		deadline: request.deadline ?? null,
		readiness: request.readiness ?? null,
		existing: found?.is ?? null,
		problem: found?.is === 'refused' ? found.why.toDocument() : problem,
		warnings,
	};
}
