/** What a recovery waits for that may come back by itself: told within seconds, with since when. */
import type { ErrorDocument } from '../../model/errors.ts';
import { moversWanted } from '../files/state.ts';
import type { Clock } from '../../system/clock.ts';
import type { Recovery, Seen } from '../recovery/recovery.ts';
import type { StepContext } from '../recovery/step-context.ts';

const tellAfterMs = 3_000;

interface Trouble {
	of: string;
	trouble: ErrorDocument;
}

/** Why reads of the guest, or the copy, wait. A target that cannot be read is another matter: that does not wait. */
export function troubleOf({ mount, migration }: Pick<Seen, 'mount' | 'migration'>): Trouble | undefined {
	if (mount?.failure && mount.waitingReads > 0 && mount.failure.code !== 'io_failed')
		return { of: 'reads of the guest wait', trouble: mount.failure };
	if (migration?.trouble && migration.copying && migration.failure === null)
		return { of: 'copying waits', trouble: migration.trouble };
	return undefined;
}

export async function noteStalled({ recovery, host }: Pick<StepContext, 'recovery' | 'host'>): Promise<void> {
	const { seen } = recovery;
	const wanted = moversWanted(recovery.state);
	// One that does not answer knows: until it does, all stays as it was.
	if ((wanted.mount && !seen.mount) || (wanted.migration && !seen.migration)) return;
	await noteTrouble(recovery, host.clock, troubleOf(seen));
}

/** What it waits for at present; undefined: nothing. */
export async function noteTrouble(
	{ seen, incidents }: Pick<Recovery, 'seen' | 'incidents'>,
	clock: Clock,
	found: Trouble | undefined,
): Promise<void> {
	const now = clock.now();
	if (found === undefined) {
		const { stalled } = seen;
		seen.stalled = undefined;
		if (stalled?.told)
			await incidents.add('source_back', `it goes on after ${Math.round((now - stalled.sinceMs) / 1000)} s`);
		return;
	}
	const { code, message } = found.trouble;
	const began = seen.stalled ?? { since: clock.date().toISOString(), sinceMs: now, told: false };
	const isDue = !began.told && now - began.sinceMs >= tellAfterMs;
	const reason = `${found.of}: ${message}`;
	seen.stalled = { ...began, code, reason, told: began.told || isDue };
	if (isDue) await incidents.add('source_away', reason);
}
