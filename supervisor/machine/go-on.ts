import type { MachineObservation } from '../../hypervisors/contract.ts';
import { RouseError } from '../../model/errors.ts';
import type { Recovery } from '../recovery/recovery.ts';
import type { StepContext } from '../recovery/step-context.ts';
import { observe } from './observe.ts';

/** Whether a request that is tried again fails again shows within this time, as a rule. */
const tryAgainMs = 500;

/**
 * Lets a guest go on that stands still at a request that failed, and throws what it stands at when it does so again: once
 * the recovery is finished nobody would come back to it.
 */
export async function goOn(context: StepContext): Promise<void> {
	const { recovery, host, signal } = context;
	if ((await observe(context)).ioError === undefined) return;
	await recovery.equipment.machine.resume({ signal });
	const until = host.clock.now() + tryAgainMs;
	for (;;) {
		const { ioError } = await observe(context);
		if (ioError) throw standsStill(recovery, ioError);
		if (host.clock.now() >= until) return;
		await host.clock.delay(50, signal);
	}
}

function standsStill(
	{ name, places: { directory } }: Recovery,
	{ operation, disk, noSpace }: NonNullable<MachineObservation['ioError']>,
): RouseError {
	const what = `the guest of ${name} stands still: a ${operation} of ${disk} failed in ${directory}`;
	return noSpace
		? new RouseError('space_short', what, { hint: `make room in ${directory}` })
		: new RouseError('io_failed', what, { hint: 'mend that disk' });
}
