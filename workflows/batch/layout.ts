import type { BatchItem, BatchPlan } from '../../model/batch.ts';

/** What a plan says of one item, by its place in the plan. */
export interface Place {
	readonly index: number;
	readonly item: BatchItem;
	/** Their items have to be ready before it may start. */
	readonly after: readonly string[];
	readonly machine: string;
}

/** A plan, turned so that it can be looked into. It never changes. */
export interface Layout {
	readonly plan: BatchPlan;
	readonly places: readonly Place[];
	readonly indexOf: ReadonlyMap<string, number>;
	/** Indexes of a group's items. */
	readonly groups: ReadonlyMap<string, readonly number[]>;
	/** In which items start that may start: by priority, then deadline, then as they stand in the plan. */
	readonly order: readonly number[];
}

/** As `rouse recover start` takes it: 1 goes first, 5 last. */
const usualPriority = 3;

export function layoutOf(plan: BatchPlan): Layout {
	const after = new Map(plan.groups.map(group => [group.name, group.after]));
	const groups = new Map<string, number[]>(plan.groups.map(({ name }) => [name, []]));
	const places = plan.items.map((item, index): Place => {
		groups.get(item.group)?.push(index);
		const machine = item.differs.machine ?? plan.common.machine ?? item.name;
		return { index, item, after: after.get(item.group) ?? [], machine };
	});
	const urgency = places.map(({ item: { differs } }) => ({
		priority: differs.priority ?? plan.common.priority ?? usualPriority,
		deadline: differs.deadline ?? plan.common.deadline,
	}));
	const order = places.map(({ index }) => index).toSorted((a, b) => byUrgency(urgency[a], urgency[b]) || a - b);
	return { plan, places, indexOf: new Map(places.map(({ item, index }) => [item.name, index])), groups, order };
}

interface Urgency {
	priority: number;
	deadline: string | undefined;
}

function byUrgency(a: Urgency | undefined, b: Urgency | undefined): number {
	if (!a || !b) return 0;
	const atMs = ({ deadline }: Urgency) => (deadline === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(deadline));
	return a.priority - b.priority || atMs(a) - atMs(b);
}
