/** The network namespace in which the embedded Temporal server is alone with its forwarder. */
import { readFile, readlink } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import { runTool } from '../../system/run-tool.ts';
import type { Program } from '../../system/spawn-locked.ts';

/**
 * The options with which unshare(1) makes a network namespace here. Who is not root, or is root in a container without its
 * powers, needs a user namespace for it. Throws `precheck_failed`, with the remedy, where the system forbids both.
 */
export async function findIsolation(): Promise<readonly string[]> {
	let why = '';
	for (const options of process.getuid?.() === 0 ? [['-n'], ['-rn']] : [['-rn']]) {
		const program = isolated({ command: 'true', args: [] }, options);
		const { code, tail } = await runTool(program.command, program.args, { hint: installUnshare, silenceMs: 30_000 });
		if (code === 0) return options;
		// The shell's word for a program that is not there: ip(8).
		if (code === 127) throw new RouseError('tool_missing', tail.join(' '), { hint: installUnshare });
		why = tail.join(' ');
	}
	throw new RouseError('precheck_failed', `this system lets nobody be alone in a network namespace: ${why}`, {
		hint: await remedy(),
	});
}

const installUnshare = 'apt-get install util-linux iproute2';

/** Each becomes the next, so that the pid which took the lock stays the program's. Loopback is the only way in there. */
export function isolated({ command, args, ...place }: Program, options: readonly string[]): Program {
	const start = 'ip link set lo up && exec "$0" "$@"';
	return { command: 'unshare', args: [...options, '--', 'sh', '-c', start, command, ...args], ...place };
}

/** The namespace of one that has come into one of its own, and how nsenter(1) goes there; undefined as long as it has not. */
export async function isolationOf(pid: number): Promise<{ namespace: string; enter: readonly string[] } | undefined> {
	const [theirs, ours] = [await namespacesOf(pid), await namespacesOf('self')];
	if (theirs === undefined || ours === undefined || theirs.net === ours.net) return undefined;
	const user = theirs.user === ours.user ? [] : ['--user', '--preserve-credentials'];
	return { namespace: theirs.net, enter: ['nsenter', '--net', ...user, '--target', String(pid), '--'] };
}

/** Undefined when there is no such process. */
export async function namespacesOf(pid: number | 'self'): Promise<{ net: string; user: string } | undefined> {
	try {
		return { net: await readlink(`/proc/${pid}/ns/net`), user: await readlink(`/proc/${pid}/ns/user`) };
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return undefined;
		throw error;
	}
}

/** Where distributions forbid user namespaces, and how each lets go. */
async function remedy(): Promise<string> {
	const said = async (name: string) => (await readFile(`/proc/sys/${name}`, 'latin1').catch(() => '')).trim();
	const otherwise =
		'or say temporal.isolation: none in config.yaml: then every user of this machine can do what Rouse can';
	const set = (setting: string) => `as root: sysctl -w ${setting} (and the same in /etc/sysctl.d); ${otherwise}`;
	if ((await said('kernel/apparmor_restrict_unprivileged_userns')) === '1')
		return set('kernel.apparmor_restrict_unprivileged_userns=0');
	if ((await said('kernel/unprivileged_userns_clone')) === '0') return set('kernel.unprivileged_userns_clone=1');
	if ((await said('user/max_user_namespaces')) === '0') return set('user.max_user_namespaces=10000');
	return `start it as root, or the container it is in with the capability SYS_ADMIN; ${otherwise}`;
}
