import { asRouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import { observe } from '../machine/observe.ts';
import { performSwitch } from '../switch/perform.ts';
import type { Mover } from '../movers/movers.ts';
import { moversWanted } from '../files/state.ts';
import type { Nothing, StepContext } from '../recovery/step-context.ts';

/** After a repair. What is still broken shows again: nothing is believed here. */
export async function retry(context: StepContext): Promise<Nothing> {
	const { recovery, signal } = context;
	const { seen } = recovery;
	if (!recovery.equipped) return {};
	const { machine, mount, migration, watch } = recovery.equipment;
	watch.mount.forgive();
	watch.migration.forgive();
	seen.moverErrors = [];
	seen.switchFailure = seen.machineFailure = seen.baseFailure = undefined;
	seen.notBefore = { switch: 0, machine: 0, base: 0 };
	const wanted = moversWanted(recovery.state);
	if (wanted.mount) await tell(context, mount, () => mount.control.serve());
	if (wanted.migration) await tell(context, migration, () => migration.control.retry());
	if (recovery.state.switch.stage === 'begun') await performSwitch(context);
	else if (recovery.state.done.includes('power-on') && (await observe(context)).ioError)
		await machine.resume({ signal });
	seen.blocked = null;
	if (recovery.state.done.includes('power-on')) await observe(context);
	return {};
}

/** A mover that is dead forgets by being started again; one that is just starting is waited for. */
async function tell({ host, signal }: StepContext, mover: Mover<unknown>, call: () => Promise<void>): Promise<void> {
	let last: unknown;
	const told = async () => {
		try {
			await call();
			return true;
		} catch (error) {
			if (asRouseError(error).code !== 'mover_unreachable') throw error;
			last = error;
			return (await mover.holder()) === undefined;
		}
	};
	try {
		await waitFor(`the ${mover.kind} mover to be told`, told, {
			timeoutMs: 10_000,
			everyMs: 50,
			signal,
			clock: host.clock,
		});
	} catch (error) {
		throw asRouseError(error).code === 'timeout' ? last : error;
	}
}
