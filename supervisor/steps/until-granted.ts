import { asRouseError } from '../../model/errors.ts';
import { noteTrouble } from '../reconcile/stalled.ts';
import type { StepContext } from '../recovery/step-context.ts';

const everyMs = 2_000;

/**
 * Returns when the recovery has what opens its restore point, where the repository is on another machine. Its service may be
 * away for as long as it likes, which is told as what the recovery waits for. Throws what it refuses with.
 */
export async function untilServiceGrants({ recovery, host, signal }: StepContext): Promise<void> {
	const { service } = recovery.equipment;
	if (service === undefined) return;
	for (;;) {
		try {
			await service(signal);
			await noteTrouble(recovery, host.clock, undefined);
			return await host.reached('token-there');
		} catch (error) {
			signal.throwIfAborted();
			const trouble = asRouseError(error);
			if (trouble.retry !== 'transient') throw error;
			await noteTrouble(recovery, host.clock, { of: 'its token is waited for', trouble: trouble.toDocument() });
		}
		await host.clock.delay(everyMs, signal);
	}
}
