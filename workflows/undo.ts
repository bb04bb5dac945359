import { DeterminismViolationError, log } from '@temporalio/workflow';
import { documentOf, failureOf, Interruption } from './failures.ts';
import { releasePin } from './pins.ts';
import type { Run } from './run.ts';
import type { UndoName } from './state.ts';

/** Each accepts that what it undoes was never done, or is gone already. */
const undoActions: Record<UndoName, (run: Run) => Promise<unknown>> = {
	release: run => run.host.undoReservation(run.nextInput()),
	unpin: releasePin,
	remove: run => run.host.undoReservation(run.nextInput()),
};

/** Registered before the step: a step whose outcome is unknown is undone like one that succeeded. */
export function beforeDoing(run: Run, undo: UndoName): void {
	// The same step again after continue-as-new has registered it already.
	if (!run.state.undo.includes(undo)) run.state.undo.push(undo);
}

/** The steps up to power-on: as a whole they succeed, or leave nothing behind and fail by their code. */
export async function allOrNothing(run: Run, steps: () => Promise<void>): Promise<void> {
	if (run.state.powerScheduled) return;
	try {
		await steps();
		run.throwIfInterrupted(); // the last moment at which a cancellation still takes everything back
	} catch (error) {
		if (error instanceof DeterminismViolationError) throw error;
		if (error instanceof Interruption && error.why !== 'cancel') throw error;
		const document = documentOf(error);
		run.state.failure = { code: document.code, message: document.message };
		run.publish();
		const left = await undoAll(run);
		const message = left.length === 0 ? document.message : `${document.message}; left behind: ${left.join('; ')}`;
		run.state.failure = { code: document.code, message };
		run.enter('failed');
		throw failureOf({ ...document, message });
	}
}

/** Undoes from the end, and goes on when one fails: what it could not take back is named in the answer. */
async function undoAll(run: Run): Promise<string[]> {
	const left: string[] = [];
	for (let undo = run.state.undo.at(-1); undo !== undefined; undo = run.state.undo.at(-1)) {
		try {
			await undoLast(run);
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			const { code, message } = documentOf(error);
			log.warn('left behind', { undo, code, message });
			left.push(`${undo}: ${message}`);
			run.state.undo.pop();
		}
	}
	return left;
}

/** What fails stays the last in the list, to be tried again. */
export async function undoLast(run: Run): Promise<void> {
	const undo = run.state.undo.at(-1);
	if (undo === undefined) return;
	await undoActions[undo](run);
	run.state.undo.pop();
}
