/** Why a request waits, for people: the resource, who has it, the place in the queue, and how long it may take. */
import { shortIdOf } from '../../model/broker.ts';
import type { BrokerView, LackView, Share, WaitingView } from '../../model/broker-view.ts';
import { formatMinute, formatTime } from '../terminal/format-time.ts';

/** `host/kvm1/memoryMiB: 4096 of 16384 free, 8192 wanted; held by web01-r1 (4096); place 3, estimated start 14:05 (in 12 min)` */
export function waitingText(
	waiting: WaitingView,
	{ atMs, rebuilding }: Pick<BrokerView, 'atMs' | 'rebuilding'>,
): string {
	const { lacks, position, deadlineMs, late } = waiting;
	const why = lacks.length > 0 ? lacks.map(lackText) : rebuilding ? [] : ['its turn'];
	const missed = late && deadlineMs !== null ? `, after its deadline ${formatMinute(deadlineMs, atMs)}` : '';
	return [
		...(rebuilding ? [rebuildingText(rebuilding, atMs)] : []),
		...why,
		`place ${position}${rebuilding ? '' : `, ${startText(waiting, atMs)}${missed}`}`,
	].join('; ');
}

/** What a broker that has come up empty has not heard yet. */
export function rebuildingText(
	{ sinceMs, silent, listed }: NonNullable<BrokerView['rebuilding']>,
	atMs: number,
): string {
	const awaited = [...silent, ...(listed ? [] : ['what open recoveries and imports hold'])];
	const since = formatTime(new Date(sinceMs).toISOString(), atMs);
	return `the broker was started anew at ${since} and grants nothing before it has heard: ${awaited.join(', ')}`;
}

function startText({ estimatedStartMs }: WaitingView, atMs: number): string {
	return estimatedStartMs === null ? 'no start in sight' : `estimated start ${formatMinute(estimatedStartMs, atMs)}`;
}

function lackText({ resource, wanted, capacity, free, why, reduced, holders, ahead }: LackView): string {
	if (why === 'unknown') return `${resource}: nobody has said how much there is, ${wanted} wanted`;
	if (why === 'away') return `${resource}: its host is away, ${wanted} wanted`;
	if (reduced !== undefined) return `${resource}: ${reduced}`;
	if (why === 'too_little') return `${resource}: ${wanted} wanted of ${capacity}, whoever gives back`;
	const parts = [`${resource}: ${free} of ${capacity} free, ${wanted} wanted`];
	if (holders.length > 0) parts.push(`held by ${sharesText(holders)}`);
	if (ahead.length > 0) parts.push(`kept for ${sharesText(ahead)}`);
	return parts.join('; ');
}

function sharesText(shares: readonly Share[]): string {
	return shares.map(({ requestId, weight }) => `${nameOf(requestId)} (${weight})`).join(', ');
}

/** The recovery, or the machine of an import, alone: what it wants it for says the resource. */
function nameOf(requestId: string): string {
	return shortIdOf(requestId).split('/')[0] ?? requestId;
}
