/** A recovery's pin. No repository that is full, read-only or away keeps a machine from starting, or a recovery from ending. */
import type { ErrorCode } from '../model/errors.ts';
import type { HostStepInput } from '../model/activity-inputs.ts';
import { documentOf } from './failures.ts';
import { hostOrLeave } from './placement.ts';
import type { Run } from './run.ts';
import { addIncidents } from './state.ts';
import { control } from './stubs.ts';

/**
 * How a repository fails that cannot be written now; `timeout` is a control worker that hangs or dies of it, and unknown is
 * what was taken out of the configuration meanwhile.
 */
const awayCodes: readonly ErrorCode[] = [
	'store_unreachable',
	'repository_missing',
	'repository_unknown',
	'space_short',
	'io_failed',
	'timeout',
];

function pinOf(run: Run) {
	const { repository, machine, restorePoint, manifestDigest, name, host } = run.request;
	const { recoveryId } = run.state;
	return { repository, machine, restorePoint, manifestDigest, recoveryId, recovery: name, host };
}

/** Where it cannot be written the recovery goes on *unpinned*: its host keeps that, and tries again until the end. */
export async function pinOrSay(run: Run, input: HostStepInput): Promise<void> {
	try {
		await control.pin(pinOf(run));
	} catch (error) {
		const { code, message: reason } = documentOf(error);
		if (!awayCodes.includes(code)) throw error;
		await hostOrLeave(run).unpinned({ ...input, code, reason });
		run.state.plan = { ...run.plan, warnings: [...run.plan.warnings, `unpinned: ${reason}`] };
	}
}

/** An unpin that meets a repository which is away is owed by the host from then on, where it has one. */
export async function releasePin(run: Run): Promise<void> {
	if (run.state.place === null) return releaseOrLeavePin(run);
	try {
		await control.unpin(pinOf(run));
	} catch (error) {
		if (!awayCodes.includes(documentOf(error).code)) throw error;
		await run.host.oweUnpin({ ...run.sameInput(), repository: run.request.repository });
	}
}

/** The same where no host is left that could owe it: `rouse doctor` finds the pin. */
export async function releaseOrLeavePin(run: Run): Promise<void> {
	try {
		await control.unpin(pinOf(run));
	} catch (error) {
		const { code, message } = documentOf(error);
		if (!awayCodes.includes(code)) throw error;
		const sequence = (run.state.incidents.at(-1)?.sequence ?? 0) + 1; // the host's come no more
		addIncidents(run.state, [{ sequence, at: new Date().toISOString(), kind: 'pin_left', message, count: 1 }]);
	}
}
