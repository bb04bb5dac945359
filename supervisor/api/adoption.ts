import type { Adoption } from '../../model/adoption.ts';
import { RouseError } from '../../model/errors.ts';
import { FinishedMachine } from '../recovery/finished-machine.ts';
import type { Recovery } from '../recovery/recovery.ts';
import { recoveryView } from './recovery-view.ts';

/** What a workflow needs to take the recovery up. Throws `phase_wrong` for one that has ended here. */
export async function adoption(entry: Recovery | FinishedMachine): Promise<Adoption> {
	if (entry instanceof FinishedMachine) throw hasEnded(entry.name, 'finished');
	if (entry.tombstone) throw hasEnded(entry.name, entry.tombstone.state);
	const { restored, power } = await recoveryView(entry);
	// Last, and without a pause until it is copied: what is newer than it must not be missing beside something older.
	const { state } = entry;
	return {
		recoveryId: state.recoveryId,
		generation: state.generation,
		request: state.request,
		plan: state.plan,
		done: [...state.done],
		powerOnScheduled: state.powerOnScheduled,
		abandoned: state.abandoned,
		power,
		powerDesired: state.power.desired,
		powerOrder: state.orders.begun,
		copy: state.copy,
		restored,
		...(state.lease ? { lease: state.lease } : {}),
		switch: { stage: state.switch.stage, pauseMs: state.switch.pauseMs },
	};
}

function hasEnded(name: string, state: 'finished' | 'discarded'): RouseError {
	return new RouseError('phase_wrong', `${name} is ${state} on this host: there is nothing to go on with`);
}
