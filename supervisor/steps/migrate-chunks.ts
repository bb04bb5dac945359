import { RouseError } from '../../model/errors.ts';
import type { Recovery } from '../recovery/recovery.ts';
import { keepMigration } from '../reconcile/movers.ts';
import { change } from '../files/state.ts';
import type { Nothing, StepContext } from '../recovery/step-context.ts';

/**
 * From here on the migration mover copies all that is missing. What is wanted is in the state: a mover that is not there
 * to be told now is told by the next look of the reconciling.
 */
export async function migrateChunks(
	context: StepContext,
	{ maxRateBytes }: { maxRateBytes: number },
): Promise<Nothing> {
	const { recovery } = context;
	if (!recovery.state.powerOnScheduled)
		throw new RouseError('phase_wrong', `recovery ${recovery.name} was not powered on yet: nothing is copied before`);
	mustStay(recovery);
	await recovery.change(change.copy(maxRateBytes));
	await keepMigration(context);
	return {};
}

/** The machine of a drill is thrown away: it never becomes one that stands on its own disks. */
function mustStay({ name, state: { plan } }: Recovery): void {
	if (plan?.drill) throw new RouseError('phase_wrong', `recovery ${name} is a drill's: it is not copied to the host`);
}
