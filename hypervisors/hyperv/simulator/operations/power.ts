import type { AnswerOf, RequestOf } from '../../driver/requests.ts';
import { removeSavedState, restartVm, resumeVm, saveVm, startVm, stateOf } from '../cmdlets/vm.ts';
import { ScriptedGuest } from '../guest.ts';
import type { HostParts } from '../parts.ts';
import { DriverRefusal } from './failure.ts';
import { mustFindMachine } from './find-machine.ts';
import { takePower } from './machines.ts';
import { checkDisks } from './overlays.ts';

export async function start(host: HostParts, { recoveryId, disks }: RequestOf<'start'>): Promise<AnswerOf<'start'>> {
	const vm = await mustFindMachine(host, recoveryId);
	await checkDisks(host, vm, disks);
	if (host.running.has(vm.vmId)) return { started: false };
	await startVm(host, vm);
	return { started: true };
}

export async function power(host: HostParts, { recoveryId, action }: RequestOf<'power'>): Promise<AnswerOf<'power'>> {
	// Stop-VM of one that does not answer is asked without a look at it.
	const vm =
		action === 'turn-off'
			? host.state.vms.find(({ notes }) => notes.includes(recoveryId))
			: await mustFindMachine(host, recoveryId);
	if (vm === undefined)
		throw new DriverRefusal('machine_unknown', `no machine has the mark ${recoveryId} in its notes`);
	const state = stateOf(host, vm);
	switch (action) {
		case 'turn-off':
			await takePower(host, vm);
			break;
		case 'shutdown':
			if (state === 'Running' && host.faults.conditions.guestsHeedShutdown)
				await new ScriptedGuest(host, vm.vmId).powerOff();
			break;
		case 'reset':
			await restartVm(host, vm);
			break;
		case 'resume':
			if (state !== 'Running') await resumeVm(host, vm);
			break;
		case 'save':
			if (state !== 'Saved') await saveVm(host, vm);
			break;
		case 'forget-saved':
			if (state === 'Saved') await removeSavedState(host, vm);
			break;
	}
	return { state: stateOf(host, vm) };
}
