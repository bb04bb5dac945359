import { isDeepStrictEqual } from 'node:util';
import { asRouseError, type RouseError } from '../../model/errors.ts';
import type { StepContext } from '../recovery/step-context.ts';
import { judge } from './blocked.ts';
import { keepMachine } from './machine.ts';
import { keepMovers } from './movers.ts';
import { settlePin } from './pin-debts.ts';

/** One look at one recovery: what should run, runs; what was begun is carried on; what needs a person is known. */
export async function reconcileRecovery(context: StepContext): Promise<void> {
	const { recovery } = context;
	if (!recovery.equipped) return;
	// Whichever fails, the other one is still looked after: a mover that cannot be killed must not leave a guest paused.
	const failed = await firstFailure([() => keepMovers(context), () => keepMachine(context), () => settlePin(context)]);
	context.signal.throwIfAborted();
	await judgeAnew(context, failed);
}

/** What fails for a moment on a busy host is tried again at the next look; a person is called for what lasts. */
const lastingMs = 10_000;

async function judgeAnew({ recovery, host }: StepContext, failed: RouseError | undefined): Promise<void> {
	const { seen } = recovery;
	const { watch, progress } = recovery.equipment;
	seen.failingSince = failed && (seen.failingSince ?? host.clock.now());
	const lasts = seen.failingSince !== undefined && host.clock.now() - seen.failingSince > lastingMs;
	let other = lasts ? failed : undefined;
	try {
		if (recovery.state.done.includes('allocate')) await progress.now();
	} catch (error) {
		other ??= asRouseError(error);
	}
	const failures = { mount: watch.mount.failure, migration: watch.migration.failure, other };
	const blocked = judge(recovery.state, seen, failures, recovery.places.directory);
	const isNew = blocked !== null && !isDeepStrictEqual(blocked, seen.blocked);
	seen.blocked = blocked;
	if (isNew) await recovery.incidents.add(blocked.code, blocked.reason);
}

async function firstFailure(parts: readonly (() => Promise<void>)[]): Promise<RouseError | undefined> {
	let first: RouseError | undefined;
	for (const part of parts) {
		try {
			await part();
		} catch (error) {
			first ??= asRouseError(error);
		}
	}
	return first;
}
