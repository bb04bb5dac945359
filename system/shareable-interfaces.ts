/** Interfaces of this host that a macvtap can be on, read from sysfs: nothing is changed. */
import { readdir, readlink } from 'node:fs/promises';
import { release } from 'node:os';
import { basename, join } from 'node:path';
import { isBridge } from './bridges.ts';
import { interfaces, kindOf, ofInterface } from './found-taps.ts';
import { exists, readIfThere } from './if-there.ts';
import { isErrno } from './durable-file.ts';

export interface HostInterface {
	name: string;
	kind: 'bridge' | 'shareable' | 'other';
	/** Of which bridge or bond it is a part. */
	master: string | undefined;
	masterIsBridge: boolean;
	/** Of `other`: what it is, or lacks. */
	why: string;
}

/** Sorted by name. */
export async function interfacesOfHost(): Promise<HostInterface[]> {
	const names = (await readdir(interfaces)).toSorted();
	const found = await Promise.all(names.map(lookAt));
	return found.filter(each => each !== undefined);
}

/** ARPHRD_ETHER of include/uapi/linux/if_arp.h, IFF_NOARP of if.h: what has no addresses on a wire has no wire. */
const ethernet = '1';
const noArp = 0x80;

async function lookAt(name: string): Promise<HostInterface | undefined> {
	const [type, flags, kind] = await Promise.all([ofInterface(name, 'type'), ofInterface(name, 'flags'), kindOf(name)]);
	if (type === undefined || flags === undefined || kind === undefined) return undefined; // gone meanwhile
	const master = await masterOf(name);
	const masterIsBridge = master !== undefined && (await isBridge(master));
	const as = (what: HostInterface['kind'], why = '') => ({ name, kind: what, master, masterIsBridge, why });
	if (await isBridge(name)) return as('bridge');
	if (master !== undefined) return as('other', `is a part of ${master}`);
	if (kind !== 'other') return as('other', 'leads to a program of this host');
	if (type !== ethernet || (Number(flags) & noArp) !== 0) return as('other', 'is no Ethernet interface');
	// An access point takes frames of its station's own address only.
	if (await exists(join(interfaces, name, 'phy80211'))) return as('other', 'is wireless');
	return as('shareable');
}

async function masterOf(name: string): Promise<string | undefined> {
	try {
		return basename(await readlink(join(interfaces, name, 'master')));
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}

/** It is in the kernel, or a module that the kernel loads when the first one is made. */
export async function kernelHasMacvtap({
	sysClass = '/sys/class',
	modules = `/lib/modules/${release()}`,
} = {}): Promise<boolean> {
	if (await exists(join(sysClass, 'macvtap'))) return true;
	return /\/macvtap\.ko/.test((await readIfThere(join(modules, 'modules.dep'))) ?? '');
}

/** Who of this host has an address on an interface that is shared: that itself, or another one on it that is up. */
export async function sharersWith(on: string, mac: string): Promise<string[]> {
	const index = await ofInterface(on, 'ifindex');
	const names = await readdir(interfaces);
	const has = async (name: string) => {
		if ((await ofInterface(name, 'address')) !== mac) return false;
		const isUp = (Number(await ofInterface(name, 'flags')) & 1) === 1; // IFF_UP
		return name === on || (isUp && (await ofInterface(name, 'iflink')) === index);
	};
	const which = await Promise.all(names.map(has));
	return names.filter((_name, at) => which[at]).toSorted();
}
