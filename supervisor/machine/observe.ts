import type { MachineObservation } from '../../hypervisors/contract.ts';
import type { StepContext } from '../recovery/step-context.ts';

/** Looks how the machine is, and remembers it for the view. */
export async function observe({ recovery, signal }: StepContext): Promise<MachineObservation> {
	recovery.seen.machine = await recovery.equipment.machine.observe({ signal });
	return recovery.seen.machine;
}
