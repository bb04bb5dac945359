import { DeterminismViolationError } from '@temporalio/workflow';
import type { ErrorDocument } from '../model/errors.ts';
import { nextAfter } from '../model/next.ts';
import { documentOf, Interruption } from './failures.ts';
import type { Run } from './run.ts';

/**
 * From power-on on nothing ends a recovery but its finish or a confirmed discard: whatever goes wrong in `work`, a
 * cancellation and our own bugs included, parks it until a person says `retry`, and then it is done again.
 */
export async function carryOn<T>(run: Run, work: () => Promise<T>): Promise<T> {
	for (;;) {
		await untilUnparked(run); // first: the run before this one may have parked
		try {
			await retryOnHost(run);
			return await work();
		} catch (error) {
			if (!canPark(error)) throw error;
			park(run, documentOf(error));
		}
	}
}

function canPark(error: unknown): boolean {
	if (error instanceof Interruption) return error.why === 'cancel';
	return !(error instanceof DeterminismViolationError);
}

export function park(run: Run, document: ErrorDocument): void {
	const { code, message: reason } = document;
	run.state.parked = { code, reason, since: new Date().toISOString(), next: nextAfter(document) };
	run.publish();
}

async function untilUnparked(run: Run): Promise<void> {
	while (run.state.parked) {
		try {
			await run.waitUntil(() => run.state.parked === null);
		} catch (error) {
			// Cancelled while it is parked: it stays parked.
			if (!(error instanceof Interruption && error.why === 'cancel')) throw error;
		}
	}
}

/** Bad chunks are asked for again, and a guest that stands still goes on. */
async function retryOnHost(run: Run): Promise<void> {
	if (!run.state.retryOnHost) return;
	run.state.retryOnHost = false;
	await run.attempt(input => run.host.retry(input));
}
