/**
 * Taps: interfaces of the host behind which is a machine's NIC, ports of one of its bridges. They are made here, by root,
 * and opened by the machine's own user, who could make none.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { isBridge } from './bridges.ts';
import { isErrno } from './durable-file.ts';
import { runTool } from './run-tool.ts';

export interface Tap {
	name: string;
	/** Who may open it: a uid. */
	owner: number;
	bridge: string;
	/** Of the NIC behind it. */
	mac: string;
	/** Directory of the machine: whoever finds the tap sees by it whose it is. */
	directory: string;
}

const interfaces = '/sys/class/net';
const prefix = 'rouse';
/** Bytes of an interface's alias, IFALIASZ in include/uapi/linux/if.h, without the terminating one. */
const aliasBytes = 255;

/** At most 15 characters: IFNAMSIZ in include/uapi/linux/if.h. */
export function tapName(recoveryId: string, nic: number): string {
	return `${tapStem(recoveryId)}${nic}`;
}

/** What the names of all taps of a machine begin with. */
export function tapStem(recoveryId: string): string {
	return `${prefix}${recoveryId.slice(0, 8)}`;
}

/** The commands that make a tap which is not there. The first must have succeeded before the others are tried. */
export function tapCommands({ name, owner, bridge, mac, directory }: Tap, bridgeMtu: string): string[][] {
	return [
		['ip', 'tuntap', 'add', 'dev', name, 'mode', 'tap', 'user', String(owner)],
		// A bridge takes the smallest MTU and the lowest address of its ports: a tap must change neither. So before it joins.
		['ip', 'link', 'set', 'dev', name, 'address', tapAddress(mac), 'mtu', bridgeMtu, 'alias', aliasOf(directory)],
		['ip', 'link', 'set', 'dev', name, 'master', bridge, 'up'],
	];
}

/** High, and not the NIC's own, which the bridge would take for one of the host's. */
function tapAddress(mac: string): string {
	return `${mac.startsWith('fe') ? 'fa' : 'fe'}${mac.slice(2)}`;
}

/** Whose a tap is, also where a copy of the installation has a recovery of the same name. A path, where it fits. */
export function aliasOf(directory: string): string {
	if (Buffer.byteLength(directory) <= aliasBytes) return directory;
	return `sha256:${createHash('sha256').update(directory).digest('hex')}`;
}

/**
 * The tap is there, its owner's and on its bridge, whatever was there of it. `machine_failed` without the bridge, and
 * `identity_conflict` when the name is that of something else, or of a tap that another machine has open.
 */
export async function makeTap(tap: Tap, { running = false } = {}): Promise<void> {
	const { name, owner, bridge, directory } = tap;
	if (!(await isBridge(bridge))) {
		if (running) return;
		throw new RouseError('machine_failed', `the bridge ${bridge} is not on this host`, {
			hint: `make it again: ip link add ${bridge} type bridge, and what is to be on it`,
		});
	}
	const found = await ownerOf(name);
	if (found === 'no tap') throw new RouseError('identity_conflict', `the interface ${name} is there, and is no tap`);
	if (await isAnothers(name, directory))
		throw new RouseError(
			'identity_conflict',
			`${name} is in use by another machine: ${await attribute(name, 'ifalias')}`,
			{
				hint: 'two installations have the same recovery: one of them is a copy',
			},
		);
	const [add, ...rest] = tapCommands(tap, (await attribute(bridge, 'mtu')) ?? '1500');
	// What a machine has open is its own for as long as it runs, and cannot be given to it anew.
	if (running && found === undefined) return;
	if (!running && found !== owner) {
		if (found !== undefined) await deleteTap(name);
		if (add) await command(add);
	}
	for (const each of rest) await command(each);
}

/**
 * Of the machine in `directory`; one of another machine stays. MAY find nothing. What has it open keeps a network card that
 * leads nowhere.
 */
export async function removeTap(name: string, directory: string): Promise<void> {
	const alias = await attribute(name, 'ifalias');
	if (alias === '' || alias === aliasOf(directory)) await deleteTap(name);
}

async function deleteTap(name: string): Promise<void> {
	if ((await attribute(name, 'tun_flags')) === undefined) return;
	try {
		await command(['ip', 'link', 'delete', 'dev', name]);
	} catch (error) {
		if ((await attribute(name, 'tun_flags')) !== undefined) throw error; // somebody else was faster
	}
}

export interface FoundTap {
	name: string;
	/** A program has it open. */
	used: boolean;
	/** Of its machine; undefined when it does not say. */
	directory: string | undefined;
}

/** Those whose names are of our making, by whatever installation. */
export async function tapsOnHost(): Promise<FoundTap[]> {
	const taps: FoundTap[] = [];
	for (const name of await readdir(interfaces)) {
		if (!new RegExp(`^${prefix}[\\da-f]{8}\\d+$`).test(name)) continue;
		if ((await attribute(name, 'tun_flags')) === undefined) continue;
		const alias = (await attribute(name, 'ifalias')) ?? '';
		const directory = isAbsolute(alias) ? alias : undefined;
		taps.push({ name, used: (await attribute(name, 'carrier')) === '1', directory });
	}
	return taps;
}

/** Nobody's machine that is off keeps a name from one that starts: what it left may be of a home that was moved. */
async function isAnothers(name: string, directory: string): Promise<boolean> {
	const alias = (await attribute(name, 'ifalias')) || aliasOf(directory);
	return alias !== aliasOf(directory) && (await attribute(name, 'carrier')) === '1';
}

async function ownerOf(name: string): Promise<number | 'no tap' | undefined> {
	const owner = await attribute(name, 'owner');
	if (owner !== undefined) return Number(owner);
	return (await attribute(name, 'ifindex')) === undefined ? undefined : 'no tap';
}

/** Undefined when there is no such interface, or it has none: `carrier` of one that is down is EINVAL. */
async function attribute(name: string, which: string): Promise<string | undefined> {
	try {
		return (await readFile(join(interfaces, name, which), 'utf8')).trim();
	} catch (error) {
		if (['ENOENT', 'ENODEV', 'EINVAL'].some(code => isErrno(error, code))) return undefined;
		throw error;
	}
}

async function command([program = '', ...args]: readonly string[]): Promise<void> {
	const { code, tail } = await runTool(program, args, { silenceMs: 10_000, hint: 'apt-get install iproute2' });
	if (code === 0) return;
	throw new RouseError('machine_failed', `${program} ${args.join(' ')}: ${tail.at(-1) ?? `exit code ${code}`}`, {
		hint: 'mend what it says, then try again',
	});
}
