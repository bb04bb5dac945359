/**
 * Taps: interfaces of the host behind which is a machine's NIC. One on a bridge is made here, by root, and opened by the
 * machine's own user, who could make none. A macvtap shares another interface, and its device is opened for the machine.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { isBridge } from './bridges.ts';
import { type FoundTap, interfaces, isLeft, isOpen, kindOf, ofInterface, tapNames } from './found-taps.ts';
import { isErrno } from './durable-file.ts';
import { runTool } from './run-tool.ts';

export interface Tap {
	name: string;
	kind: 'bridge' | 'macvtap';
	/** The bridge, or the interface that is shared. */
	on: string;
	/** Who may open one on a bridge: a uid. */
	owner: number;
	/** Of the NIC behind it. */
	mac: string;
	/** Directory of the machine: whoever finds the tap sees by it whose it is. */
	directory: string;
}

/** Bytes of an interface's alias, IFALIASZ in include/uapi/linux/if.h, without the terminating one. */
const aliasBytes = 255;

/** At most 15 characters: IFNAMSIZ in include/uapi/linux/if.h. */
export function tapName(recoveryId: string, nic: number): string {
	return `${tapStem(recoveryId)}${nic}`;
}

/** What the names of all taps of a machine begin with. */
export function tapStem(recoveryId: string): string {
	return `rouse${recoveryId.slice(0, 8)}`;
}

/** The commands that make a tap which is not there. The first must have succeeded before the others are tried. */
export function tapCommands(tap: Tap, mtu: string): string[][] {
	return tap.kind === 'bridge' ? onBridge(tap, mtu) : asMacvtap(tap);
}

function onBridge({ name, owner, on, mac, directory }: Tap, bridgeMtu: string): string[][] {
	return [
		['ip', 'tuntap', 'add', 'dev', name, 'mode', 'tap', 'user', String(owner)],
		// A bridge takes the smallest MTU and the lowest address of its ports: a tap must change neither. So before it joins.
		['ip', 'link', 'set', 'dev', name, 'address', tapAddress(mac), 'mtu', bridgeMtu, 'alias', aliasOf(directory)],
		['ip', 'link', 'set', 'dev', name, 'master', on, 'up'],
	];
}

function asMacvtap({ name, on, mac, directory }: Tap): string[][] {
	const ipv6 = `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`;
	return [
		// The address is the NIC's own, since by it the kernel tells for whom a frame is. `bridge`: machines reach each other.
		['ip', 'link', 'add', 'link', on, 'name', name, 'address', mac, 'type', 'macvtap', 'mode', 'bridge'],
		// The host must not give itself the address that the guest makes of its MAC: the guest would find it taken.
		['sh', '-c', '[ ! -e "$1" ] || echo 1 >"$1"', 'sh', ipv6],
		// Which groups a guest listens to the kernel does not hear of, and without them it is not found by IPv6.
		['ip', 'link', 'set', 'dev', name, 'alias', aliasOf(directory), 'allmulticast', 'on', 'up'],
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
 * The tap is there, its owner's and where it is to lead, whatever was there of it. `machine_failed` without the bridge or
 * interface, and `identity_conflict` when the name is that of something else, or of a tap that another machine has open.
 */
export async function makeTap(tap: Tap, { running = false } = {}): Promise<void> {
	const { name, owner, on, directory } = tap;
	if (!(await (tap.kind === 'bridge' ? isBridge(on) : isInterface(on)))) {
		if (running) return;
		throw nothingToBeOn(tap);
	}
	const found = await kindOf(name);
	if (found === 'other') throw new RouseError('identity_conflict', `the interface ${name} is there, and is no tap`);
	if (await isAnothers(name, directory))
		throw new RouseError(
			'identity_conflict',
			`${name} is in use by another machine: ${await ofInterface(name, 'ifalias')}`,
			{
				hint: 'two installations have the same recovery: one of them is a copy',
			},
		);
	const [add, ...rest] = tapCommands(tap, (await ofInterface(on, 'mtu')) ?? '1500');
	// What a machine has open is its own for as long as it runs, and cannot be given to it anew.
	if (running && found === undefined) return;
	const kept = found === 'tap' && tap.kind === 'bridge' && (await ofInterface(name, 'owner')) === String(owner);
	if (!running && !kept) {
		if (found !== undefined) await deleteTap(name);
		if (add) await command(add);
	}
	for (const each of rest) await command(each);
}

function nothingToBeOn({ kind, on }: Tap): RouseError {
	if (kind === 'macvtap')
		return new RouseError('machine_failed', `the interface ${on} is not on this host`, {
			hint: 'bring it back under that name, or recover the machine anew with another --network',
		});
	return new RouseError('machine_failed', `the bridge ${on} is not on this host`, {
		hint: `make it again: ip link add ${on} type bridge, and what is to be on it`,
	});
}

/**
 * Of the machine in `directory`; one of another machine stays. MAY find nothing. What has it open keeps a network card that
 * leads nowhere.
 */
export async function removeTap(name: string, directory: string): Promise<void> {
	const alias = await ofInterface(name, 'ifalias');
	if (alias === '' || alias === aliasOf(directory)) await deleteTap(name);
}

/** Whosever it was: that machine makes its own anew when it is started. */
export async function removeLeftTap(name: string): Promise<void> {
	if (await isLeft(name)) await deleteTap(name);
}

async function deleteTap(name: string): Promise<void> {
	const isTap = async () => ['tap', 'macvtap'].includes((await kindOf(name)) ?? '');
	if (!(await isTap())) return;
	try {
		await command(['ip', 'link', 'delete', 'dev', name]);
	} catch (error) {
		if (await isTap()) throw error; // else somebody was faster
	}
}

/** Those whose names are of our making, by whatever installation. */
export async function tapsOnHost(): Promise<FoundTap[]> {
	const taps: FoundTap[] = [];
	for (const name of await tapNames()) {
		const kind = await kindOf(name);
		if (kind !== 'tap' && kind !== 'macvtap') continue;
		const alias = (await ofInterface(name, 'ifalias')) ?? '';
		const directory = isAbsolute(alias) ? alias : undefined;
		taps.push({ name, used: await isOpen(name, kind), directory });
	}
	return taps;
}

/** Nobody's machine that is off keeps a name from one that starts: what it left may be of a home that was moved. */
async function isAnothers(name: string, directory: string): Promise<boolean> {
	const alias = (await ofInterface(name, 'ifalias')) || aliasOf(directory);
	const kind = await kindOf(name);
	return alias !== aliasOf(directory) && (kind === 'tap' || kind === 'macvtap') && (await isOpen(name, kind));
}

async function isInterface(name: string): Promise<boolean> {
	try {
		return (await stat(join(interfaces, name))).isDirectory();
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return false;
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
