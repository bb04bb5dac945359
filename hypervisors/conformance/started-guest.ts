import { anew, type Bench } from './bench.ts';
import type { Machine } from '../contract.ts';
import type { Chain } from '../../model/recovery.ts';
import { GuestModel } from './guest-model.ts';

/** Created, with its snapshot, running from the mover. */
export async function startedGuest(bench: Bench): Promise<GuestModel> {
	await anew(bench, async machine => {
		await machine.makeTargets();
		await machine.create();
		await bench.mover.start();
		await machine.presentBase();
		await machine.snapshot();
		await start(machine, 'mover');
	});
	return new GuestModel(bench);
}

/** As the contract has it: the base is presented before every start on chain `mover`. */
export async function start(machine: Machine, chain: Chain): Promise<void> {
	if (chain === 'mover') await machine.presentBase();
	await machine.powerOn(chain);
}
