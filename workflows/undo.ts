import { DeterminismViolationError, log } from '@temporalio/workflow';
import type { ErrorDocument } from '../model/errors.ts';
import { cancelledDocument, documentOf, failureOf, Interruption, isBehind } from './failures.ts';
import { everything, giveBack, withdraw } from './leases.ts';
import { leaveHost, parkIfElsewhere } from './leave-host.ts';
import { park, untilRetried } from './parking.ts';
import { releasePin } from './pins.ts';
import { afterAll, goElsewhere, hasNothing, hostOrLeave, mayGoElsewhere, refusalOf } from './placement.ts';
import type { Run } from './run.ts';
import { cancelledBy } from './take-back.ts';

/**
 * The steps up to power-on: as a whole they succeed, or leave nothing behind and fail by their code. A host that is further
 * than this workflow wins: it parks until a person has looked, and goes on from the host's place.
 */
export async function allOrNothing(run: Run, steps: () => Promise<void>): Promise<void> {
	while (!run.state.powerScheduled) {
		let document: ErrorDocument;
		try {
			await untilRetried(run); // first: the run before this one may have parked
			if (run.state.undoing === null) {
				await steps();
				if (parkIfElsewhere(run)) continue;
				run.throwIfInterrupted(); // the last moment at which a cancellation still takes everything back
				return;
			}
			document = run.state.undoing;
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			if (error instanceof Interruption && error.why !== 'cancel') throw error;
			document = error instanceof Interruption ? cancelledBy(run.state.takenBack) : refusalOf(run, documentOf(error));
		}
		if (isBehind(document)) park(run, document);
		else if (!parkIfElsewhere(run)) await takeBack(run, document);
	}
}

/** Undoes all and fails; parks instead when the host knows better, or has no room to record that it undoes anything. */
async function takeBack(run: Run, document: ErrorDocument): Promise<void> {
	run.state.parked = run.state.undoing = null;
	const elsewhere = mayGoElsewhere(run, document);
	const { hint } = document;
	const { message: cause } = afterAll(run, document);
	if (!elsewhere) run.state.failure = { code: document.code, message: cause, ...(hint ? { hint } : {}) };
	run.publish();
	const left: string[] = [];
	let removed = false;
	try {
		await withdraw(run);
		if (elsewhere) await removeOrLeave(run, document);
		else if (!hasNothing(run, document)) await removeFromHost(run);
		removed = true;
		await giveBack(run, everything);
		if (elsewhere) return goElsewhere(run, document);
		await unpin(run).catch(error => {
			if (documentOf(error).code === 'space_short') throw error; // the host could not record that it owes it
			left.push(leftBehind('unpin', error));
		});
	} catch (error) {
		if (error instanceof Interruption) throw error;
		const refusal = documentOf(error);
		const keeps = ['power_on_scheduled', 'space_short'].includes(refusal.code) || isBehind(refusal);
		if (keeps) return keepWhatIsThere(run, document, { refusal, removed });
		// The pin stays: a host that does not say that nothing reads the point any more may run its machine.
		left.push(leftBehind('remove', error), ...(run.state.mayBePinned ? ['unpin: not before that'] : []));
	}
	const message = left.length === 0 ? cause : `${cause}; left behind: ${left.join('; ')}`;
	run.state.failure = { code: document.code, message, ...(hint ? { hint } : {}) };
	run.enter('failed');
	throw failureOf({ ...document, message });
}

/** It has not failed yet: whether it was powered on or not, it goes on from where the host is. */
function keepWhatIsThere(
	run: Run,
	cause: ErrorDocument,
	{ refusal, removed }: { refusal: ErrorDocument; removed: boolean },
): void {
	run.state.failure = null;
	if (refusal.code === 'power_on_scheduled') run.state.powerScheduled = run.state.mayBePinned = true;
	// What was cancelled, or is half undone, is not begun again because there is room.
	else if (removed || (refusal.code === 'space_short' && cause.code === cancelledDocument.code))
		run.state.undoing = cause;
	park(run, { ...refusal, message: `${refusal.message}; it was to be undone because: ${cause.message}` });
}

/** The recovery goes on on another host: one that does not answer is not waited for. */
async function removeOrLeave(run: Run, document: ErrorDocument): Promise<void> {
	if (document.code === 'worker_missing') return leaveHost(run);
	// It would refuse the recovery as one that has left when it is asked again.
	if (hasNothing(run, document)) return;
	try {
		await run.attempt(input => hostOrLeave(run).undo({ ...input, left: true }), { whole: true });
	} catch (error) {
		if (refusalOf(run, documentOf(error)).code !== 'worker_missing') throw error;
		await leaveHost(run);
	}
}

/**
 * Asked even when nothing was begun: a workflow whose history was put back does not know what was, nor of a pin.
 */
async function removeFromHost(run: Run): Promise<void> {
	await run.attempt(
		async input => {
			const { wasHere } = await run.host.undo(input);
			if (wasHere) run.state.mayBePinned = true;
		},
		{ whole: true },
	);
}

async function unpin(run: Run): Promise<void> {
	if (run.state.mayBePinned) await run.interruptible(() => releasePin(run), { whole: true });
}

function leftBehind(undo: 'remove' | 'unpin', error: unknown): string {
	if (error instanceof DeterminismViolationError || error instanceof Interruption) throw error;
	const { code, message } = documentOf(error);
	log.warn('left behind', { undo, code, message });
	return `${undo}: ${message}`;
}
