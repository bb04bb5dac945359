import { CancellationScope } from '@temporalio/workflow';
import type { RecoveryResult } from './contracts.ts';
import { documentOf, failureOf } from './failures.ts';
import { everything, giveBack } from './leases.ts';
import { carryOn } from './parking.ts';
import { releaseOrLeavePin } from './pins.ts';
import type { Run } from './run.ts';
import { close } from './steps.ts';

/**
 * As a person has confirmed it of a host that is gone: nothing is asked of that host any more. What it has of the recovery
 * stays there; should it come back, its worker finds the workflow closed in this way and tells the supervisor.
 */
export async function abandon(run: Run): Promise<RecoveryResult> {
	const { state } = run;
	if (state.phase !== 'abandoning') {
		state.parked = state.blocked = state.failure = null;
		run.enter('abandoning');
	}
	if (state.mayBePinned) await carryOn(run, () => run.once('unpin', () => releaseOrLeavePin(run)));
	await giveBack(run, everything);
	return close(run, 'abandoned');
}

/** Throws `phase_wrong` when the worker of its host is there: such a host can be told to discard. */
export async function mustBeGone(run: Run): Promise<void> {
	const { name: recovery, host } = run.request;
	if (run.state.place === null)
		throw failureOf({
			code: 'phase_wrong',
			message: `abandon: no host has recovery ${recovery} yet`,
			details: { recovery, order: 'abandon', next: 'discard' },
		});
	const input = run.sameInput();
	const asked = () => run.host.answers.map(answer => answer(input).then(() => null, documentOf));
	const outcomes = await CancellationScope.nonCancellable(() => Promise.all(asked()));
	const failure = outcomes.find(outcome => outcome !== null && outcome.code !== 'timeout');
	if (failure) throw failureOf(failure);
	if (!outcomes.includes(null)) return;
	throw failureOf({
		code: 'phase_wrong',
		message: `abandon: the worker of host ${host} answers, so recovery ${recovery} can be ended there`,
		details: { recovery, order: 'abandon', ...(run.isDone('switchToTarget') ? {} : { next: 'discard' }) },
	});
}
