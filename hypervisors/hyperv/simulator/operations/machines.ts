import type { AnswerOf, RequestOf } from '../../driver/requests.ts';
import { newVm, removeVm, setVm, stateOf, stopVmProcess, turnOffVm } from '../cmdlets/vm.ts';
import { removeEmptyDirectory, removeFile } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import type { Vm } from '../state.ts';
import { findMachine, mustFindMachine } from './find-machine.ts';

export async function createMachine(
	host: HostParts,
	request: RequestOf<'create-machine'>,
): Promise<AnswerOf<'create-machine'>> {
	const { recoveryId, name, directory, generation, memoryMiB, processors, secureBoot, nics, pipe } = request;
	const found = await findMachine(host, recoveryId);
	const notes = `Rouse recovery ${recoveryId}`;
	const vm = found ?? (await newVm(host, { name, directory, generation, memoryMiB, notes }));
	// One that is off may be half made.
	if (stateOf(host, vm) === 'Off')
		await setVm(host, vm, {
			processors,
			secureBoot,
			nics: nics.map(nic => ({ ...nic })),
			pipe,
			automaticStart: 'Nothing',
			checkpointType: 'Disabled',
		});
	return { vmId: vm.vmId, made: found === undefined };
}

export async function observe(host: HostParts, { recoveryId }: RequestOf<'observe'>): Promise<AnswerOf<'observe'>> {
	const vm = await findMachine(host, recoveryId);
	if (vm === undefined) return null;
	const { vmId, name, stoppedBy, checkpoints } = vm;
	const running = host.running.get(vmId);
	const uptimeMs = running ? performance.now() - running.startedAtMs : 0;
	return { vmId, name, state: stateOf(host, vm), stoppedBy, uptimeMs, checkpoints };
}

export async function handOver(
	host: HostParts,
	{ recoveryId }: RequestOf<'hand-over'>,
): Promise<AnswerOf<'hand-over'>> {
	const vm = await mustFindMachine(host, recoveryId);
	await setVm(host, vm, { automaticStart: 'StartIfRunning', automaticStop: 'Save', checkpointType: 'Production' });
	return { vmId: vm.vmId };
}

export async function removeMachine(
	host: HostParts,
	{ recoveryId, overlays, directory }: RequestOf<'remove-machine'>,
): Promise<AnswerOf<'remove-machine'>> {
	const vm = host.state.vms.find(({ notes }) => notes.includes(recoveryId));
	if (vm !== undefined) {
		await takePower(host, vm);
		await removeVm(host, vm);
	}
	for (const path of overlays) await removeFile(host, path);
	await removeEmptyDirectory(host, directory);
	return { removed: vm !== undefined };
}

/** Where Stop-VM would not come back the machine's process is ended. */
export async function takePower(host: HostParts, vm: Vm): Promise<void> {
	const running = host.running.get(vm.vmId);
	if (running?.isFrozen) await stopVmProcess(host, vm);
	else if (running) await turnOffVm(host, vm);
}
