import type { BatchPhase, BatchView, ItemView } from '../../model/batch-view.ts';
import { holdingUp } from './groups.ts';
import type { Layout } from './layout.ts';
import type { BatchState, Item } from './state.ts';

export function phaseOf({ stop, endedMs }: Pick<BatchState, 'stop' | 'endedMs'>): BatchPhase {
	if (endedMs !== null) return 'over';
	return stop === null || stop.why === 'failed' ? 'running' : 'cancelled';
}

/** What a person, and the audit, is told of a batch. */
export function viewOf(layout: Layout, state: BatchState): BatchView {
	const { plan, places } = layout;
	const holding = holdingUp(layout, state.items);
	return {
		name: plan.name,
		phase: phaseOf(state),
		startedMs: state.startedMs,
		endedMs: state.endedMs,
		window: plan.window,
		items: state.items.map((item, index): ItemView => {
			const place = places[index];
			const { recoveryId, phase, code, found, own, startedMs, readyMs } = item;
			const name = place?.item.name ?? '';
			const group = place?.item.group ?? '';
			const machine = place?.machine ?? '';
			const reason = item.state === 'waiting' ? waitsFor(item, place?.after ?? []) : item.reason;
			return {
				name,
				machine,
				group,
				state: item.state,
				recoveryId,
				phase,
				code,
				reason,
				found,
				own,
				startedMs,
				readyMs,
			};
		}),
	};

	function waitsFor({ looked }: Item, after: readonly string[]): string {
		if (!looked) return 'it is looked for what exists of it';
		const group = after.find(each => holding.has(each));
		if (group === undefined) return `no more than ${plan.window} are on their way at once`;
		const first = holding.get(group);
		const holder = first === undefined ? undefined : state.items[first];
		const name = first === undefined ? '' : places[first]?.item.name;
		return `group ${group} is not ready: ${name} is ${holder?.state}`;
	}
}
