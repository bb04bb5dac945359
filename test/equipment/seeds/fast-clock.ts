import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../../system/clock.ts';

/**
 * So much faster than the world. Not a clock that jumps from one wait to the next: what is waited for is real files and
 * real code, which must not find every deadline over because somebody else waited meanwhile.
 */
const times = 40;

const startedAt = performance.now();
const startedOn = Date.parse('2026-11-20T03:00:00.000Z');
const now = () => (performance.now() - startedAt) * times;
let setMs = 0;

/** Somebody sets the clock of all hosts of this process: what they measure is unaffected. */
export function setClock(byMs: number): void {
	setMs += byMs;
}

/** The time of the server, in ms since the epoch: it is another machine, whose clock nobody sets back. */
export function serverMs(): number {
	return startedOn + now();
}

export const fastClock: Clock = {
	now,
	date: () => new Date(startedOn + setMs + now()),
	delay: (ms, signal) => delay(ms / times, undefined, { ref: false, ...(signal ? { signal } : {}) }),
};
