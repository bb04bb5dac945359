import { setTimeout as delay } from 'node:timers/promises';

/** Time, as whoever decides by it is told: a test hands in one that it moves itself. */
export interface Clock {
	/** Milliseconds that only go up. */
	now(): number;
	/** The time of day. */
	date(): Date;
	/** Resolves after so long; rejects with the signal's reason. Keeps no process alive. */
	delay(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
	now: () => performance.now(),
	date: () => new Date(),
	delay: (ms, signal) => delay(ms, undefined, { ref: false, ...(signal ? { signal } : {}) }),
};
