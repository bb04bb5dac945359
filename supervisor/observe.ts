import { asRouseError } from '../model/errors.ts';
import type { MachineObservation } from '../hypervisors/contract.ts';
import { failWaiting, serveAgain } from './served.ts';
import { moversWanted } from './state.ts';
import type { StepContext } from './step.ts';

/** Looks how the machine is, and remembers it for the view. */
export async function observe(context: StepContext): Promise<MachineObservation> {
	const { seen } = context.recovery;
	seen.machine = await observeOrFree(context);
	return seen.machine;
}

/**
 * A machine whose monitors are silent while reads wait is one whose guest has reset itself: QEMU stands still until they
 * are answered. They are failed; the guest is found at a read error then, which the reconciling lets go on.
 */
async function observeOrFree(context: StepContext): Promise<MachineObservation> {
	const { recovery } = context;
	const { machine } = recovery.equipment;
	try {
		return await machine.observe();
	} catch (error) {
		if (asRouseError(error).code !== 'hypervisor_stuck' || !moversWanted(recovery.state).mount) throw error;
		if (!(await failWaiting(context))) throw error;
	}
	await recovery.incidents.add(
		'reads_failed',
		'the machine was silent while reads waited: they were failed to free it',
	);
	try {
		return await machine.observe();
	} finally {
		await serveAgain(context);
	}
}
