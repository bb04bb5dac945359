import { DeterminismViolationError } from '@temporalio/workflow';
import type { ErrorDocument } from '../model/errors.ts';
import { nextAfter } from '../model/next.ts';
import { documentOf, Interruption, isBehind } from './failures.ts';
import { withdraw } from './leases.ts';
import type { Run } from './run.ts';
import { giveStreamBack } from './streams.ts';

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

/** What it is tried again with is above all that the host has seen: whoever says `retry` has looked who else is at work. */
export function park(run: Run, document: ErrorDocument): void {
	run.catchUp(document);
	const told = isBehind(document) ? laterGeneration(document) : document;
	const { code, message: reason } = told;
	run.state.parked = { code, reason, since: new Date().toISOString(), next: nextAfter(told) };
	run.publish();
}

function laterGeneration(document: ErrorDocument): ErrorDocument {
	return {
		...document,
		message: `the host has seen a later generation than this workflow: ${document.message}`,
		hint: 'see that no other workflow is at work on this recovery',
	};
}

async function untilUnparked(run: Run): Promise<void> {
	for (;;) {
		try {
			await letGo(run);
			return await untilRetried(run);
		} catch (error) {
			if (isBehind(documentOf(error))) park(run, documentOf(error));
			// Cancelled while it is parked: it stays parked.
			else if (!(error instanceof Interruption && error.why === 'cancel')) throw error;
		}
	}
}

/**
 * It is parked, which anybody can see; now its copy holds up nobody else. Where its host is further than this workflow another
 * one may be at work, and nothing there is ended before a person has looked.
 */
async function letGo(run: Run): Promise<void> {
	const { parked } = run.state;
	if (parked === null) return;
	if (isBehind(parked)) await withdraw(run);
	else await giveStreamBack(run, () => run.state.parked === null);
}

/** Until a person has said `retry`. */
export async function untilRetried(run: Run): Promise<void> {
	if (run.state.parked) await run.waitUntil(() => run.state.parked === null);
}

/** Bad chunks are asked for again, and a guest that stands still goes on. */
async function retryOnHost(run: Run): Promise<void> {
	if (!run.state.retryOnHost) return;
	run.state.retryOnHost = false;
	await run.attempt(input => run.host.retry(input));
}
