import type { Clock } from '../../system/clock.ts';

/** What fails on a host that has just booted (a file system, a bridge) may be there a moment later; a person takes longer. */
const firstWaitMs = 10_000;
const longestWaitMs = 5 * 60_000;

/** Does `work` again and again, ever more rarely, until it does not throw or `signal` is aborted. Never throws itself. */
export async function untilDone(
	work: () => Promise<void>,
	{ failed, clock, signal }: { failed: (error: unknown) => void; clock: Clock; signal: AbortSignal },
): Promise<void> {
	for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
		try {
			return await work();
		} catch (error) {
			if (signal.aborted) return;
			failed(error);
		}
		await clock.delay(waitMs, signal).catch(() => undefined);
		if (signal.aborted) return;
	}
}
