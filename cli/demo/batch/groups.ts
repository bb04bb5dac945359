import type { BatchItemDocument } from '../../../client/batch/documents.ts';
import { RouseError } from '../../../model/errors.ts';
import { formatDuration } from '../../terminal/format.ts';

/** When a group came back, from the request of the batch on. */
export interface GroupTimes {
	name: string;
	machines: number;
	/** Its first machine. */
	startedAfterMs: number;
	/** Its last one. */
	readyAfterMs: number;
}

type Item = Pick<BatchItemDocument, 'name' | 'group' | 'startedAt' | 'readyAt'>;

/**
 * Of the groups in their order. Throws `machine_failed` when a machine was not ready, or one was started before all of the
 * group before it were.
 */
export function groupTimes(names: readonly string[], items: readonly Item[], startedAt: string): GroupTimes[] {
	const after = (time: string) => Date.parse(time) - Date.parse(startedAt);
	const times = names.map(name => {
		const own = items.filter(({ group }) => group === name);
		const started = own.map(item => after(known(item, 'startedAt')));
		const ready = own.map(item => after(known(item, 'readyAt')));
		return {
			name,
			machines: own.length,
			startedAfterMs: Math.min(...started),
			readyAfterMs: Math.max(...ready),
		};
	});
	for (const [index, { name, startedAfterMs }] of times.entries()) {
		const before = times[index - 1];
		if (before && startedAfterMs < before.readyAfterMs)
			throw new RouseError('machine_failed', `${name} began before all of ${before.name} were ready`);
	}
	return times;
}

export function groupText({ name, machines, startedAfterMs, readyAfterMs }: GroupTimes): string {
	const [from, to] = [formatDuration(startedAfterMs), formatDuration(readyAfterMs)];
	return `${name.padEnd(12)} ${machines} machines, begun ${from} and all ready ${to} after the request`;
}

function known(item: Item, what: 'startedAt' | 'readyAt'): string {
	const time = item[what];
	if (time === null) throw new RouseError('machine_failed', `${item.name} has no ${what}`);
	return time;
}
