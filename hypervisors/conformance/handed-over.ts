import { anew, type Bench } from './bench.ts';
import type { GuestModel } from './guest-model.ts';
import { startedGuest } from './started-guest.ts';
import { SwitchRecord } from './switch-record.ts';
import { restoreTargets } from './targets.ts';

/** A machine whose guest has run, that stands on its targets alone, is handed over and off. */
export async function handedOver(bench: Bench): Promise<GuestModel> {
	const guest = await startedGuest(bench);
	await restoreTargets(bench);
	await anew(bench, async machine => {
		await machine.switchToTarget(new SwitchRecord(bench, guest));
		await machine.handOver();
		await machine.powerOff();
	});
	return guest;
}
