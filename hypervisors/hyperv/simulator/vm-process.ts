import type { HostParts } from './parts.ts';
import type { Vm } from './state.ts';

/** The machine's process ends, whoever did it; what its guest did not flush is gone. MAY find none. */
export async function endProcess(
	{ running, state, store }: HostParts,
	vmId: string,
	by: Vm['stoppedBy'],
): Promise<void> {
	const vm = running.get(vmId);
	if (vm === undefined) return;
	running.delete(vmId);
	await vm.end();
	const known = state.vms.find(one => one.vmId === vmId);
	if (known) known.stoppedBy = by;
	await store.save();
}
