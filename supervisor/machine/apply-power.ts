import { change } from '../files/state.ts';
import type { StepContext } from '../recovery/step-context.ts';

/** Carries out the wish for power that is in the state. */
export async function applyPower(context: StepContext): Promise<void> {
	const { recovery, signal } = context;
	const { machine } = recovery.equipment;
	if (recovery.state.power.desired === 'off') await machine.powerOff({ signal });
	else await start(context);
	await recovery.change(change.powerSettled());
}

/** On whatever the durable marks say is the machine's chain. */
export async function start({ recovery, signal }: StepContext): Promise<void> {
	const { machine } = recovery.equipment;
	const { chain } = recovery.state;
	if (chain === 'mover') await machine.presentBase({ signal });
	await machine.powerOn(chain, { signal });
}
