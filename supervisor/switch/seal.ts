import { RouseError } from '../../model/errors.ts';
import { change } from '../files/state.ts';
import type { StepContext } from '../recovery/step-context.ts';

/**
 * No process may hold a target open for writing any more. A write of an old block that lands after the overlay was
 * committed silently undoes a guest's write, and nothing would ever report it. The mark is durable first, so that no
 * supervisor after this one starts a writer; then the one there is is killed, and its lock seen free.
 */
export async function seal(context: StepContext): Promise<void> {
	await context.recovery.change(change.sealed(true));
	await context.host.reached('seal-marked');
	await endWriter(context);
	await context.host.reached('sealed');
}

/** Throws `hypervisor_stuck` when the writer does not end: the switch must wait for a person then. */
export async function endWriter({ recovery, host }: StepContext): Promise<void> {
	if (await host.endForSeal(recovery.equipment.migration)) return;
	const holder = await recovery.equipment.migration.holder();
	throw new RouseError(
		'hypervisor_stuck',
		`recovery ${recovery.name}: the migration mover (pid ${holder?.pid ?? 'unknown'}) cannot be killed and may still write`,
		{ hint: 'the machine goes on running; find out what the process waits for (storage that hangs), then retry' },
	);
}
