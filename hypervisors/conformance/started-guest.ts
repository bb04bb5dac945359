import { anew, type Bench } from './bench.ts';
import { GuestModel } from './guest-model.ts';

/** Created, with its snapshot, running from the mover. */
export async function startedGuest(bench: Bench): Promise<GuestModel> {
	await bench.mover.start();
	await anew(bench, async machine => {
		await machine.makeTargets();
		await machine.create();
		await machine.presentBase();
		await machine.snapshot();
		await machine.powerOn('mover');
	});
	return new GuestModel(bench);
}
