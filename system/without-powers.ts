import { readFile } from 'node:fs/promises';
import type { Program } from './spawn-locked.ts';

/**
 * The one power of root's that what works on files keeps: repositories and disks may be another user's. Gone are those over
 * processes, users, namespaces, devices, the network and the kernel, for good and for all that is started from there:
 * capabilities(7), PR_SET_NO_NEW_PRIVS(2const).
 */
const overFiles = 'dac_override';

/** CAP_SETPCAP of linux/capability.h: may take powers away. */
const setPowers = 1n << 8n;

/**
 * A program as it is run where it needs no more than that, and `more` (capabilities by name), through an exec: the pid
 * stays. As it is for all but root.
 */
export async function withoutPowers(
	program: Program,
	{ more = [], status = readStatus }: { more?: readonly string[]; status?: () => Promise<string> } = {},
): Promise<Program> {
	const held = /^CapEff:\s*([0-9a-f]+)$/m.exec(await status())?.[1];
	if (held === undefined || (BigInt(`0x${held}`) & setPowers) === 0n) return program;
	const options = [
		'--no-new-privs',
		'--inh-caps=-all',
		`--bounding-set=${['-all', ...[overFiles, ...more].map(name => `+${name}`)].join(',')}`,
	];
	return { ...program, command: 'setpriv', args: [...options, '--', program.command, ...program.args] };
}

/** proc_pid_status(5). */
function readStatus(): Promise<string> {
	return readFile('/proc/self/status', 'latin1');
}
