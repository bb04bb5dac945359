import type { Waiter } from './state.ts';
import { brokerTimes } from './times.ts';

const lowest = 5;

/** The priority that counts: one better for each time of ageing, without end. */
export function agedPriority({ request }: Waiter, atMs: number): number {
	return request.priority - Math.floor(ageMs(request.sinceMs, atMs) / brokerTimes.ageing);
}

/** From then on no newer request, of whatever priority, goes before it. */
export function isEldest({ request }: Waiter, atMs: number): boolean {
	return ageMs(request.sinceMs, atMs) >= lowest * brokerTimes.ageing;
}

/** Who goes first: by aged priority, then by deadline, then who came first. */
export function inOrder(waiters: Iterable<Waiter>, atMs: number): Waiter[] {
	return [...waiters]
		.map(waiter => ({ waiter, priority: agedPriority(waiter, atMs), deadline: waiter.request.deadlineMs ?? Infinity }))
		.toSorted(
			(one, other) =>
				one.priority - other.priority ||
				byNumber(one.deadline, other.deadline) ||
				one.waiter.request.sinceMs - other.waiter.request.sinceMs ||
				one.waiter.seq - other.waiter.seq,
		)
		.map(({ waiter }) => waiter);
}

/** Clocks of holders are not the broker's: who claims to have asked in the future has asked now. */
function ageMs(sinceMs: number, atMs: number): number {
	return Math.max(0, atMs - sinceMs);
}

/** Not by difference: two of them may be infinite. */
function byNumber(one: number, other: number): number {
	return one === other ? 0 : one < other ? -1 : 1;
}
