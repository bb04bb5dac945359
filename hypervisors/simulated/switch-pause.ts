import type { Instance } from './instance.ts';
import type { SwitchCall } from './parts.ts';

/**
 * Remembers whether the guest runs, and pauses it. What an earlier attempt has paused stays so; every other state in which
 * a guest stands still is its own, and is kept.
 */
export async function pauseGuest({ calls }: SwitchCall, instance: Instance): Promise<void> {
	const { guest } = instance.look();
	if (guest === 'running') await calls.rememberResume(true);
	else if (guest !== 'paused' || calls.resume === undefined) await calls.rememberResume(false);
	instance.alone((run, save) => {
		if (run.guest === 'running') save({ ...run, guest: 'paused' });
	});
}

/** Lets a guest go on that the switch has paused and that ran before. True when it does. */
export function continueGuest({ calls }: SwitchCall, instance: Instance): boolean {
	return instance.alone((run, save) => {
		if (calls.resume !== true || run.guest !== 'paused') return false;
		save({ ...run, guest: 'running', ioError: null }); // what failed in the pause is tried again
		return true;
	});
}
