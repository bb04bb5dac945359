/** Switches, addresses, the firewall and a service: https://learn.microsoft.com/powershell/module */
import type { HostParts } from '../parts.ts';
import { breaks } from '../rules.ts';
import type { HostState } from '../state.ts';
import { cmdlet } from './reached.ts';

type InternalSwitch = HostState['switches'][number];

/** New-VMSwitch -SwitchType Internal. The host's adapter at it is there at once. */
export async function newVmSwitch(host: HostParts, name: string, notes: string): Promise<InternalSwitch> {
	return await cmdlet(host, 'New-VMSwitch', async () => {
		const made = { name, notes, addresses: [] };
		host.state.switches.push(made);
		await host.store.save();
		return made;
	});
}

/** Machines at it lose their link. */
export async function removeVmSwitch(host: HostParts, gone: InternalSwitch): Promise<void> {
	await cmdlet(host, 'Remove-VMSwitch', async () => {
		host.state.switches = host.state.switches.filter(one => one !== gone);
		await host.store.save();
	});
}

/** Of the host, at its adapter of this switch. */
export async function newNetIpAddress(
	host: HostParts,
	at: InternalSwitch,
	address: InternalSwitch['addresses'][number],
): Promise<void> {
	await cmdlet(host, 'New-NetIPAddress', async () => {
		if (addressesOf(host).some(one => one.address === address.address))
			throw breaks('fileExists', 'New-NetIPAddress', address.address);
		at.addresses.push(address);
		await host.store.save();
	});
}

/** Get-NetIPAddress -AddressFamily IPv4 */
export function addressesOf({ settings, state }: HostParts): { address: string; prefixLength: number }[] {
	return [...(settings.addresses ?? []), ...state.switches.flatMap(({ addresses }) => addresses)];
}

export async function newNetFirewallRule(host: HostParts, name: string): Promise<void> {
	await cmdlet(host, 'New-NetFirewallRule', async () => {
		host.state.firewallRules.push(name);
		await host.store.save();
	});
}

export async function removeNetFirewallRule(host: HostParts, name: string): Promise<void> {
	await cmdlet(host, 'Remove-NetFirewallRule', async () => {
		host.state.firewallRules = host.state.firewallRules.filter(one => one !== name);
		await host.store.save();
	});
}

/** Set-Service, and Start-Service or Stop-Service. */
export async function setService(host: HostParts, wanted: HostState['initiator']): Promise<void> {
	await cmdlet(host, 'Set-Service', async () => {
		host.state.initiator = { ...wanted };
		await host.store.save();
	});
}
