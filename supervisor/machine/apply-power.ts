import { asRouseError } from '../../model/errors.ts';
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

/**
 * On whatever the durable marks say is the machine's chain. One that its platform cannot start, and has a way for that
 * asks less of the host, is started in that way.
 */
export async function start(context: StepContext): Promise<void> {
	const { recovery, signal } = context;
	await presentBase(context);
	for (const said of await recovery.equipment.machine.addressesInUse({ signal }))
		await recovery.incidents.add('address_in_use', said);
	try {
		await recovery.equipment.machine.powerOn(recovery.state.chain, { signal });
	} catch (thrown) {
		const error = asRouseError(thrown);
		const way = error.details?.['fallBack'];
		if (error.code !== 'machine_failed' || typeof way !== 'string') throw thrown;
		await fallBack(context, `it could not be started (${error.message})`, way);
	}
}

/** Takes the way that the platform offers, once: it remembers it for every later start. */
export async function fallBack(context: StepContext, why: string, way: string): Promise<void> {
	const { recovery, signal } = context;
	await recovery.incidents.add('machine_crashed', `the guest had written nothing when ${why}; it is started by ${way}`);
	await presentBase(context);
	await recovery.equipment.machine.fallBack(recovery.state.chain, { signal });
}

async function presentBase({ recovery, signal }: StepContext): Promise<void> {
	if (recovery.state.chain === 'mover') await recovery.equipment.machine.presentBase({ signal });
}
