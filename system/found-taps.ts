/** Interfaces that are there, as sysfs has them: which are taps, and whether somebody has one open. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { capability, hasCapability } from './capabilities.ts';
import { isErrno } from './durable-file.ts';
import { exists } from './if-there.ts';
import { namesIn } from './names-in.ts';

export const interfaces = '/sys/class/net';

export interface FoundTap {
	name: string;
	/** A program has it open. */
	used: boolean;
	/** Of its machine; undefined when it does not say. */
	directory: string | undefined;
}

/** As `tapName` makes it. */
const nameOfTap = /^rouse[\da-f]{8}\d+$/;

export async function tapNames(): Promise<string[]> {
	return (await readdir(interfaces)).filter(name => nameOfTap.test(name));
}

/** Undefined when there is no such interface. */
export async function kindOf(name: string): Promise<'tap' | 'macvtap' | 'other' | undefined> {
	if ((await ofInterface(name, 'tun_flags')) !== undefined) return 'tap';
	if (await exists(join(interfaces, name, 'macvtap'))) return 'macvtap';
	return (await ofInterface(name, 'ifindex')) === undefined ? undefined : 'other';
}

/** A program has it open. Who may not look into others' processes is told so of every macvtap. */
export async function isOpen(name: string, kind: 'tap' | 'macvtap'): Promise<boolean> {
	if (kind === 'tap') return (await ofInterface(name, 'carrier')) === '1';
	if (!hasCapability(await readFile('/proc/self/status', 'utf8'), capability.sysPtrace)) return true;
	// Opening it to see would take a part of what comes for the machine: each descriptor is a queue of its own.
	const device = `/dev/tap${await ofInterface(name, 'ifindex')}`;
	for (const pid of await readdir('/proc')) {
		if (!/^\d+$/.test(pid)) continue;
		for (const descriptor of await namesIn(`/proc/${pid}/fd`))
			if ((await linkOf(`/proc/${pid}/fd/${descriptor}`)) === device) return true;
	}
	return false;
}

/** A macvtap of a machine whose guest has shut down: QEMU ended with it, and nobody was there to remove it. */
export async function isLeft(name: string): Promise<boolean> {
	return nameOfTap.test(name) && (await kindOf(name)) === 'macvtap' && !(await isOpen(name, 'macvtap'));
}

async function linkOf(path: string): Promise<string | undefined> {
	return readlink(path).catch(() => undefined); // closed meanwhile
}

/** Undefined when there is no such interface, or it has none: `carrier` of one that is down is EINVAL. */
export async function ofInterface(name: string, which: string): Promise<string | undefined> {
	try {
		return (await readFile(join(interfaces, name, which), 'utf8')).trim();
	} catch (error) {
		if (['ENOENT', 'ENODEV', 'EINVAL'].some(code => isErrno(error, code))) return undefined;
		throw error;
	}
}
