import type { Clock } from '../../system/clock.ts';

/** Time passes only by waiting, and when the test says so. */
export class TestClock implements Clock {
	ms = 1_000;
	/** What was waited for, in its order. */
	readonly delays: number[] = [];

	now(): number {
		return this.ms;
	}

	date(): Date {
		return new Date(this.ms);
	}

	async delay(ms: number, signal?: AbortSignal): Promise<void> {
		signal?.throwIfAborted();
		this.delays.push(ms);
		this.ms += ms;
	}
}
