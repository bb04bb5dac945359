/**
 * How a program of QEMU's is started as a machine's user: an exec chain, `unshare` → `sh` → `setpriv` → program, so that a
 * lock that was taken before stays that process's. In a mount namespace of its own the user finds the machine's directories
 * at their places, and nothing else of what root keeps to itself.
 */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { MachineDefinition } from '../contract.ts';
import { outsideOf } from './network-target.ts';
import type { MachinePaths } from './paths.ts';
import { quoted } from './quoted.ts';

export interface Room {
	uid: number;
	/** Those that are not there are left out. */
	directories: readonly string[];
	/** Become the user's. */
	files: readonly string[];
	/** What a machine makes when it starts: of its sockets what is left of an earlier one goes, its pidfile it cannot make. */
	start?: { directory: string; sockets: readonly string[]; pid: string; taps: boolean };
	/** It ends with who started it. */
	endsWithParent?: boolean;
}

export interface Program {
	command: string;
	args: readonly string[];
}

/** Without a room the program as it is. `opening`: lines of a shell, of root, that open what it finds as descriptors. */
export async function inRoom(
	room: Room | undefined,
	{ command, args }: Program,
	opening: readonly string[] = [],
): Promise<Program> {
	if (room === undefined) {
		if (opening.length === 0) return { command, args };
		return { command: 'sh', args: ['-c', ['set -eu', ...opening, 'exec "$@"'].join('\n'), 'sh', command, ...args] };
	}
	// Slave: what the host unmounts is unmounted in here as well, and not held busy as long as the machine runs.
	const chain = ['-m', '--propagation', 'slave', 'sh', '-c', await script(room, opening), 'sh', command, ...args];
	return { command: 'unshare', args: chain };
}

export function roomOf(
	uid: number | undefined,
	{ directory, runDirectory, nbdSocket, disks, nics }: MachineDefinition,
	paths: MachinePaths,
): Room | undefined {
	if (uid === undefined) return undefined;
	const { sockets, supervisorMonitor, vars, pid } = paths;
	return {
		uid,
		directories: [...new Set([directory, runDirectory, dirname(nbdSocket)])],
		files: [...disks.flatMap(disk => [paths.target(disk), paths.overlay(disk)]), vars, pid],
		start: {
			directory: runDirectory,
			sockets: [...Object.values(sockets), supervisorMonitor],
			pid,
			taps: nics.some(({ target }) => outsideOf(target)?.kind === 'bridge'),
		},
	};
}

/** For what looks at disks and opens no socket. */
export function withoutStart(room: Room | undefined): Room | undefined {
	if (room === undefined) return undefined;
	const { start: _none, ...rest } = room;
	return rest;
}

async function script(
	{ uid, directories, files, start, endsWithParent }: Room,
	opening: readonly string[],
): Promise<string> {
	const veils = await veilsOver(directories);
	const all = (paths: readonly string[]) => paths.map(quoted).join(' ');
	const user = `--reuid ${uid} --regid ${uid} --clear-groups --no-new-privs`;
	return [
		'set -eu',
		'umask 022',
		// Held open, since the veils hide them. A descriptor that is in use may be the lock.
		...directories.flatMap((path, at) => [
			`[ ! -e /proc/self/fd/${firstHeld + at} ] || { echo 'descriptor ${firstHeld + at} is in use' >&2; exit 1; }`,
			`[ ! -d ${quoted(path)} ] || exec ${firstHeld + at}<${quoted(path)}`,
		]),
		...veils.map(path => `mount -t tmpfs -o mode=755,size=1m rouse ${quoted(path)}`),
		...(veils.length > 0 ? directories.map(unveiled) : []),
		`for d in ${all(directories)}; do [ ! -d "$d" ] || chmod 711 "$d"; done`,
		'umask 077',
		...(start
			? [`rm -rf ${all(start.sockets)}`, `chown ${uid}:${uid} ${quoted(start.directory)}`, `: >>${quoted(start.pid)}`]
			: []),
		`for f in ${all(files)}; do [ ! -e "$f" ] || chown -h ${uid}:${uid} "$f"; done`,
		...node(uid, veils[0], { path: '/dev/kvm', minor: 232 }),
		...(start?.taps ? node(uid, veils[0], { path: '/dev/net/tun', minor: 200 }) : []),
		...opening,
		'unset PWD', // of the shell's own
		`exec setpriv ${endsWithParent ? '--pdeathsig KILL ' : ''}${user} -- "$@"`,
	].join('\n');
}

/** Above what flock(1) leaves open; a POSIX shell knows one digit. */
const firstHeld = 7;

/** mount(8) would look up where the descriptor leads by its name, which is under the veil. */
function unveiled(path: string, at: number): string {
	const descriptor = firstHeld + at;
	const bind = `mount --no-canonicalize --bind /proc/self/fd/${descriptor} ${quoted(path)}`;
	return `[ ! -e /proc/self/fd/${descriptor} ] || { mkdir -p ${quoted(path)}; ${bind}; exec ${descriptor}<&-; }`;
}

/** A node of its own, of major 10: admin-guide/devices.txt of Linux. The host's stays with its group. */
function node(uid: number, veil: string | undefined, { path, minor }: { path: string; minor: number }): string[] {
	if (veil === undefined) return [];
	const own = quoted(join(veil, basename(path)));
	return [
		`[ ! -c ${path} ] || { mknod -m 600 ${own} c 10 ${minor}; chown ${uid}:${uid} ${own}; mount --bind ${own} ${path}; }`,
	];
}

/** The outermost directories on the ways that only root may pass: what is beside the way in them is not to be seen. */
async function veilsOver(directories: readonly string[]): Promise<string[]> {
	const veils = new Set<string>();
	for (const directory of directories) {
		const veil = await firstClosed(dirname(directory));
		if (veil !== undefined) veils.add(veil);
	}
	const inside = (path: string, veil: string) => path.startsWith(`${veil}/`);
	return [...veils].filter(path => ![...veils].some(veil => inside(path, veil)));
}

async function firstClosed(path: string): Promise<string | undefined> {
	const above = path === '/' ? undefined : await firstClosed(dirname(path));
	if (above !== undefined) return above;
	const found = await stat(path).catch(() => undefined); // not there: it comes with the program's own modes
	return found !== undefined && (found.mode & 0o001) === 0 ? path : undefined;
}
