import type { AnswerOf, RequestOf } from '../../driver/requests.ts';
import { removeSavedState, restartVm, resumeVm, saveVm, startVm, stateOf } from '../cmdlets/vm.ts';
import { ScriptedGuest } from '../guest.ts';
import type { HostParts } from '../parts.ts';
import { mustFindMachine } from './find-machine.ts';
import { mustBe } from './state.ts';
import { takePower } from './machines.ts';
import { checkDisks } from './overlays.ts';

export async function start(host: HostParts, { recoveryId, disks }: RequestOf<'start'>): Promise<AnswerOf<'start'>> {
	const vm = await mustFindMachine(host, recoveryId);
	if (host.running.has(vm.vmId)) return { started: false };
	await checkDisks(host, vm, disks);
	await startVm(host, vm);
	return { started: true };
}

export async function power(host: HostParts, { recoveryId, action }: RequestOf<'power'>): Promise<AnswerOf<'power'>> {
	const vm = await mustFindMachine(host, recoveryId);
	const state = stateOf(host, vm);
	switch (action) {
		case 'turn-off':
			await takePower(host, vm);
			break;
		case 'shutdown':
			mustBe(host, vm, ['Running']);
			if (host.faults.conditions.guestsHeedShutdown) await new ScriptedGuest(host, vm.vmId).powerOff();
			break;
		case 'reset':
			mustBe(host, vm, ['Running', 'Paused', 'PausedCritical']);
			await restartVm(host, vm);
			break;
		case 'resume':
			if (state === 'Running') break;
			mustBe(host, vm, ['Paused', 'PausedCritical']);
			await resumeVm(host, vm);
			break;
		case 'save':
			if (state === 'Saved') break;
			mustBe(host, vm, ['Running', 'Paused']);
			await saveVm(host, vm);
			break;
		case 'forget-saved':
			if (state === 'Saved') await removeSavedState(host, vm);
			break;
	}
	return { state: stateOf(host, vm) };
}
