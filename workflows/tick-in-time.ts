import { condition } from '@temporalio/workflow';

/** A workflow that works in rounds: whatever comes makes it dirty, and a round is for all that has come. */
interface InRounds {
	dirty: boolean;
}

/** Makes it dirty when `nextTickMs`, null for never, is due: one timer for each such time, however many messages come meanwhile. */
export async function tickInTime(run: InRounds, nextTickMs: () => number | null): Promise<never> {
	for (;;) {
		// After a round: what was due before it may be due no longer.
		await condition(() => !run.dirty && nextTickMs() !== null);
		const dueMs = nextTickMs() ?? 0;
		const earlier = () => (nextTickMs() ?? dueMs) < dueMs;
		const begunAnew = await condition(() => !run.dirty && earlier(), Math.max(1, dueMs - Date.now()));
		if (!begunAnew) run.dirty = true;
	}
}
