/** What a guest that has taken over its QEMU finds there: as little as works. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { UserRange } from '../../system/user-range.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { runTool } from '../../system/run-tool.ts';
import { installQemu } from './install.ts';
import { inRoom } from './own-room.ts';
import { inTrialDirectory } from './trial-directory.ts';

/**
 * seccomp(2) filters of QEMU's own (qemu-options.hx, `-sandbox`): no program can be started from it, no user or namespace
 * changed, no priority raised. What it is given before (lock, files to log to) stays. No helper of QEMU's works under it.
 */
export const sandboxArguments: readonly string[] = [
	'-sandbox',
	'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
];

/** Undefined when QEMU can put the filters on itself, else why it cannot: compiled out, or the kernel has none. */
export async function missingSandbox(systemBinary: string): Promise<string | undefined> {
	// The list of CPUs is printed once the filters are on: system/vl.c, qemu_process_early_options.
	const { code, stderr, tail } = await runTool(systemBinary, [...sandboxArguments, '-cpu', 'help'], {
		silenceMs: 10_000,
		hint: installQemu,
		env: qemuEnvironment(),
	});
	return code === 0 ? undefined : stderr.trim().split('\n')[0] || tail.at(-1) || `exit code ${code}`;
}

/** Of ours only where programs are found: the rest may hold what is nobody else's, or change what QEMU does. */
export function qemuEnvironment({ PATH }: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
	return { ...(PATH === undefined ? {} : { PATH }), LC_ALL: 'C' };
}

export function isRoot(): boolean {
	return process.getuid?.() === 0;
}

/** EAGAIN and ENOMEM, as the C library says them: of the moment, and no reason to start a machine as root. */
const busy = /Resource temporarily unavailable|Cannot allocate memory|Cannot fork/;

/**
 * Undefined when QEMU can be started as another user, in a room of its own; else why not. Containers often forbid it. Throws
 * when it could not be tried.
 */
export async function missingUsers(systemBinary: string, range: UserRange): Promise<string | undefined> {
	if (!isRoot()) return 'Rouse is not root';
	if (range === 'none') return 'config.yaml says so (host.machineUids)';
	try {
		return await inTrialDirectory(veil => tryUser(veil, systemBinary, range.first));
	} catch (thrown) {
		const { code, message } = asRouseError(thrown);
		if (code !== 'tool_missing') throw thrown;
		return message;
	}
}

async function tryUser(veil: string, systemBinary: string, uid: number): Promise<string | undefined> {
	const directory = join(veil, 'machine');
	await mkdir(directory);
	const room = { uid, directories: [directory], files: [] };
	const { command, args } = await inRoom(room, { command: systemBinary, args: ['--version'] });
	const hint = 'apt-get install util-linux';
	const { code, tail } = await runTool(command, args, { silenceMs: 10_000, hint, env: qemuEnvironment() });
	const said = tail.at(-1) ?? `exit code ${code}`;
	if (code !== 0 && busy.test(said))
		throw new RouseError('tool_failed', `whether machines can have users of their own cannot be tried now: ${said}`);
	return code === 0 ? undefined : said;
}
