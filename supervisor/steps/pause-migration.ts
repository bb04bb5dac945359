import { RouseError } from '../../model/errors.ts';
import { change } from '../files/state.ts';
import { keepMigration } from '../reconcile/movers.ts';
import type { Nothing, StepContext } from '../recovery/step-context.ts';

/**
 * Whoever asked gives the stream to somebody else when this returns. So the mark comes first, which a mover or a supervisor that
 * is started again heeds; and a mover that does not answer may copy on, unless it is known not to run.
 */
export async function pauseMigration(context: StepContext): Promise<Nothing> {
	const { recovery, host } = context;
	if (!recovery.equipped) return {};
	await recovery.change(change.copyPaused());
	await host.reached('copy-paused');
	await keepMigration(context);
	const { seen } = recovery;
	const { migration } = recovery.equipment;
	const copies = seen.migration ? seen.migration.copying : (await migration.holder()) !== undefined;
	if (copies)
		throw new RouseError(
			'mover_unreachable',
			`recovery ${recovery.name}: the migration mover does not say that it has paused`,
		);
	return {};
}
