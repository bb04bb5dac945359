import { setTimeout as delay } from 'node:timers/promises';
import { stepText } from '../../client/order-text.ts';
import type { RecoveryGlance, RecoverySummary } from '../../client/summaries.ts';
import { RouseError } from '../../model/errors.ts';
import type { Phase } from '../../model/recovery.ts';
import type { Context } from '../terminal/command.ts';
import type { Progress } from '../terminal/progress.ts';
import type { Session } from './session.ts';

/**
 * Waits for a phase with a bar of what is local. Ctrl-C detaches: the recovery goes on, which is said, and `interrupted`
 * is thrown. Throws what {@link Recoveries.waitFor} throws.
 */
export async function waitForPhase(
	session: Session,
	name: string,
	phase: Phase,
	context: Context,
): Promise<RecoverySummary> {
	const progress = context.output.progress(name);
	const done = new AbortController();
	let now: RecoveryGlance | undefined;
	const following = follow(session, name, progress, () => (now ? noteOf(now) : 'planned'), done.signal);
	try {
		return await session.recoveries.waitFor(name, phase, {
			signal: context.signal,
			onChange: summary => {
				now = summary;
			},
		});
	} catch (error) {
		if (!context.signal.aborted) throw error;
		progress.end();
		throw detached(name, context.signal);
	} finally {
		done.abort();
		progress.end();
		await following;
	}
}

/** The error of a person who stopped looking; nothing else stopped. */
export function detached(name: string, signal: AbortSignal): RouseError {
	const details = signal.reason instanceof RouseError ? signal.reason.details : undefined;
	return new RouseError('interrupted', `detached; recovery ${name} goes on`, {
		hint: `look again: rouse recover watch ${name}`,
		details,
	});
}

/** The phase, and what holds it up: a missing worker and a step that fails again and again look alike without it. */
export function noteOf({ phase, pending }: Pick<RecoveryGlance, 'phase' | 'pending'>): string {
	const held = pending.find(({ running, lastFailure }) => !running || lastFailure);
	if (!held) return phase;
	const why = held.lastFailure ? `failed, ${held.lastFailure.message}` : 'waits for a worker';
	return `${phase}: ${stepText(held.step)}, attempt ${held.attempt}: ${why}`;
}

/** Shows what the supervisor reports, once a second; its silence is no news about the recovery. */
async function follow(
	{ supervisor }: Session,
	name: string,
	progress: Progress,
	note: () => string,
	signal: AbortSignal,
): Promise<void> {
	while (!signal.aborted) {
		try {
			const { disks } = await supervisor.recovery(name, { signal, timeoutMs: 2_000 });
			const done = disks.reduce((sum, disk) => sum + disk.restoredBytes, 0);
			const total = disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
			progress.update({ done, total, note: note() });
		} catch (error) {
			if (signal.aborted) return;
			if (!(error instanceof RouseError)) throw error;
			progress.update({ done: 0, note: note() });
		}
		await delay(1_000, undefined, { signal }).catch(() => {}); // aborted: the loop's condition says so
	}
}
