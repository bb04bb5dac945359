import { shortIdOf } from '../../model/broker.ts';
import type { BrokerView, LeaseView, ResourceView } from '../../model/broker-view.ts';
import { formatTable } from '../terminal/format.ts';
import { formatMinute, formatTime } from '../terminal/format-time.ts';
import { rebuildingText, waitingText } from './waiting-text.ts';

/** What `rouse broker show` prints. */
export function viewText(view: BrokerView, columns?: number): string {
	const { rebuilding, away, resources, leases, waiting, waitingCount } = view;
	const idOf = namesIn(view);
	const parts = [
		...(rebuilding ? [rebuildingText(rebuilding, view.atMs)] : []),
		resources.length === 0 ? 'Nobody has reported anything yet.' : resourcesText(resources, columns),
		...away.map(host => awayText(host, view.atMs)),
		...resources.flatMap(({ resource, reduced }) => (reduced === undefined ? [] : [`${resource}: ${reduced}`])),
		leases.length === 0 ? 'No leases.' : leasesText(view, idOf, columns),
		...leases.filter(({ orphanedMs }) => orphanedMs !== null).map(lease => orphanText(lease, idOf, view.atMs)),
		waitingCount === 0 ? 'Nobody waits.' : `${waitingCount} ${waitingCount === 1 ? 'waits' : 'wait'}:`,
	];
	const queue = waiting.map(one => {
		const { priority, agedPriority } = one;
		const aged = agedPriority === priority ? '' : ` (${agedPriority} by its age)`;
		return `  ${idOf(one.requestId)}, priority ${priority}${aged}, waits for ${waitingText(one, view)}`;
	});
	const more = waitingCount - waiting.length;
	return [parts.join('\n\n'), ...queue, ...(more > 0 ? [`  and ${more} behind them`] : [])].join('\n');
}

export function resourcesText(resources: readonly ResourceView[], columns?: number): string {
	return formatTable(
		['RESOURCE', 'CAPACITY', 'HELD', 'KEPT', 'FREE', 'SET'],
		resources.map(({ resource, capacity, held, reserved, set }) => [
			resource,
			capacity === null ? 'unknown' : String(capacity),
			String(held),
			String(reserved),
			capacity === null ? '' : String(Math.max(0, capacity - held)),
			set === null ? '' : String(set),
		]),
		columns,
	);
}

function leasesText({ leases, atMs }: BrokerView, idOf: (requestId: string) => string, columns?: number): string {
	return formatTable(
		['LEASE', 'HOST', 'GRANTED', 'EXPECTED END'],
		leases.map(({ requestId, host, grantedMs, expectedEndMs }) => [
			idOf(requestId),
			host ?? '',
			formatTime(new Date(grantedMs).toISOString(), atMs),
			formatMinute(expectedEndMs, atMs),
		]),
		columns,
	);
}

function awayText({ reporter, sinceMs, seenBy }: BrokerView['away'][number], atMs: number): string {
	const since = formatTime(new Date(sinceMs).toISOString(), atMs);
	const by = seenBy.slice(seenBy.indexOf('/') + 1);
	return `${reporter}: away since ${since}, seen by ${by}. Nothing new is granted there until it reports again.`;
}

function orphanText(
	{ requestId, host, orphanedMs }: LeaseView,
	idOf: (requestId: string) => string,
	atMs: number,
): string {
	const id = idOf(requestId);
	return [
		`${id}: its recovery is gone since ${formatTime(new Date(orphanedMs ?? 0).toISOString(), atMs)}, and ${host} has not said yet that nothing of it runs.`,
		`  If that host is gone for good: rouse broker release ${id} --reason TEXT --confirm ${id}`,
	].join('\n');
}

/** The short name of a request where it is one's alone, else its whole id. */
function namesIn({ leases, waiting }: BrokerView): (requestId: string) => string {
	const count = new Map<string, number>();
	for (const { requestId } of [...leases, ...waiting])
		count.set(shortIdOf(requestId), (count.get(shortIdOf(requestId)) ?? 0) + 1);
	return requestId => (count.get(shortIdOf(requestId)) === 1 ? shortIdOf(requestId) : requestId);
}
