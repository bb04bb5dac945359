import type { AnswerOf, RequestOf } from '../../driver/requests.ts';
import { exists } from '../../../../system/if-there.ts';
import {
	addressesOf,
	newNetFirewallRule,
	newNetIpAddress,
	newVmSwitch,
	removeNetFirewallRule,
	removeVmSwitch,
	setService,
} from '../cmdlets/network.ts';
import { getVhd } from '../cmdlets/vhd.ts';
import { getVms, stateOf } from '../cmdlets/vm.ts';
import { filesIn } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import type { Vm } from '../state.ts';
import { placeOf } from '../windows-paths.ts';
import { DriverRefusal } from './failure.ts';
import { isApplianceOf, isMarked, setupMark, setupName } from './find-appliance.ts';

export async function survey(
	host: HostParts,
	{ setupId, datastore, directory }: RequestOf<'survey'>,
): Promise<AnswerOf<'survey'>> {
	const { settings, state } = host;
	const machines: AnswerOf<'survey'>['machines'] = [];
	for (const vm of await getVms(host)) {
		const recoveryId = /^rouse-recovery: ([\da-f-]{36})$/m.exec(vm.notes.replaceAll('\r', ''))?.[1] ?? null;
		machines.push({
			vmId: vm.vmId,
			name: vm.name,
			state: stateOf(host, vm),
			ours: isApplianceOf(vm, setupId),
			recoveryId,
			finished: recoveryId !== null && (await isFinished(host, vm)),
		});
	}
	return {
		edition: 'Microsoft Windows Server 2022 Standard (simulated)',
		fileSystem: 'NTFS',
		datastoreThere: await exists(placeOf(host.root, datastore)),
		files: (await filesIn(host, directory)).map(path => ({ path })),
		services: [
			{ name: 'MSiSCSI', ...state.initiator },
			{ name: 'sshd', startType: 'Automatic', running: true },
		],
		addresses: addressesOf(host).map(one => ({ ...one })),
		switches: [
			...settings.switches.map(one => ({ ...one, ours: false })),
			...state.switches.map(({ name, notes }) => ({ name, type: 'Internal', ours: isMarked(notes, setupId) })),
		],
		machines,
	};
}

async function isFinished(host: HostParts, vm: Vm): Promise<boolean> {
	if (vm.automaticStart === 'Nothing') return false;
	for (const { path } of vm.drives) if ((await getVhd(host, path)).parentPath !== undefined) return false;
	return true;
}

export async function makeNetwork(
	host: HostParts,
	{ setupId, name, hostAddress, prefixLength }: RequestOf<'make-network'>,
): Promise<AnswerOf<'make-network'>> {
	const found = host.state.switches.find(({ notes }) => isMarked(notes, setupId));
	const others = [...host.settings.switches, ...host.state.switches].filter(one => one !== found);
	if (!found && others.some(one => one.name === name))
		throw new DriverRefusal('identity_conflict', `there is a virtual switch ${name}, and it is not of this set-up`);
	const network = found ?? (await newVmSwitch(host, name, setupMark(setupId)));
	if (!network.addresses.some(one => one.address === hostAddress))
		await newNetIpAddress(host, network, { address: hostAddress, prefixLength });
	const isOpen = host.state.firewallRules.includes(setupName(setupId));
	if (!isOpen) await newNetFirewallRule(host, setupName(setupId));
	return { made: !found || !isOpen };
}

export async function removeNetwork(
	host: HostParts,
	{ setupId }: RequestOf<'remove-network'>,
): Promise<AnswerOf<'remove-network'>> {
	const rule = setupName(setupId);
	const isOpen = host.state.firewallRules.includes(rule);
	if (isOpen) await removeNetFirewallRule(host, rule);
	const found = host.state.switches.find(({ notes }) => isMarked(notes, setupId));
	if (found) await removeVmSwitch(host, found);
	return { removed: isOpen || found !== undefined };
}

export async function setInitiator(
	host: HostParts,
	{ startType, running }: RequestOf<'set-initiator'>,
): Promise<AnswerOf<'set-initiator'>> {
	const stays = running || (host.state.initiator.running && host.sessions.size > 0);
	await setService(host, { startType, running: stays });
	return { running: stays };
}
