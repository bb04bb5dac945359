/**
 * A machine of its own whose first process is a real systemd: namespaces, and a root in which nothing that is written reaches this
 * machine but what is in a directory that both have. Needs root; it ends with the test, and everything in it.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { exists } from '../../system/if-there.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from './captive.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/**
 * $1: a directory for its root; $2: the shared one. Debian's own units must never be
 * started: one of them empties /tmp, another changes the kernel's settings. So they are not where this systemd looks.
 */
const boot = `set -eu
root=$1/root
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$root"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$root"
for place in tmp run var/tmp root/.ssh etc/systemd dev; do
	mkdir -p "$root/$place"
	mount -t tmpfs tmpfs "$root/$place"
done
for device in null zero full random urandom tty kvm fuse; do
	: >"$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts" "$root/etc/systemd/system"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mkdir -p "$root$2"
mount --bind "$2" "$root$2"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mkdir "$1/old"
cd "$root"
mkdir old
pivot_root . old
umount -l /old
for unit in bare sysinit basic multi-user shutdown network-online remote-fs; do
	printf '[Unit]\\nDefaultDependencies=no\\n' >"/etc/systemd/system/$unit.target"
done
: >/run/own-root
export container=test SYSTEMD_UNIT_PATH=/run/systemd/transient:/etc/systemd/system
exec /lib/systemd/systemd --system --unit=bare.target --log-target=console --show-status=0`;

/** Its pid may be another's by now, or its root not its own yet: then nothing is done. */
const inIt = '[ -e /run/own-root ] || exit 1; exec "$@"';

export class SystemdMachine {
	/** Of its systemd, as it is called outside. */
	readonly #pid: number;

	private constructor(pid: number) {
		this.#pid = pid;
	}

	/** `shared` is at the same path in it. */
	static async booted(t: Pick<TestContext, 'after'>, shared: string): Promise<SystemdMachine> {
		const scratch = await temporaryDirectory(t);
		const cgroup = join(await unifiedCgroups(), `rouse-test-${randomBytes(4).toString('hex')}`);
		await mkdir(cgroup);
		const joins = ['-c', 'echo $$ >"$0/cgroup.procs"; exec "$@"', cgroup];
		const own = [
			'--pid',
			'--fork',
			'--kill-child',
			'--mount',
			'--cgroup',
			'--uts',
			'--ipc',
			'--propagation',
			'private',
		];
		const args = [...joins, 'unshare', ...own, 'sh', '-c', boot, 'sh', scratch, shared];
		// With a test that is killed it ends as well.
		const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
		let said = '';
		child.stderr.on('data', text => (said += text));
		const gone = new Promise<void>(resolve => child.once('close', () => resolve()));
		t.after(async () => {
			child.kill('SIGKILL');
			await gone;
			await removeCgroup(cgroup);
		});
		try {
			const inside = await waitFor('its first process', () => childOf(child.pid ?? 0), { timeoutMs: 10_000 });
			const machine = new SystemdMachine(inside);
			await waitFor('systemd to be up', () => machine.#isUp(), { timeoutMs: 20_000 });
			return machine;
		} catch (cause) {
			throw new Error(`systemd did not come up: ${said}`, { cause });
		}
	}

	/** What it says on standard output; throws when it ends otherwise than by 0. */
	async run(program: string, ...args: string[]): Promise<string> {
		const enter = ['-t', String(this.#pid), '-a', '--', 'sh', '-c', inIt, 'sh', program, ...args];
		const { stdout } = await run('nsenter', enter);
		return stdout.trim();
	}

	/** The document that a command of the installation `home` answers with. */
	async rouse(home: string, ...args: string[]): Promise<unknown> {
		const said = await this.run('env', `ROUSE_HOME=${home}`, process.execPath, main, ...args, '--json');
		return JSON.parse(said.split('\n').at(-1) ?? '');
	}

	async #isUp(): Promise<boolean> {
		try {
			return (await this.run('systemctl', 'is-active', 'bare.target')) === 'active';
		} catch {
			return false; // not yet
		}
	}
}

/** Where the hierarchy of version 2 is, alone or beside those of version 1. */
async function unifiedCgroups(): Promise<string> {
	const beside = '/sys/fs/cgroup/unified';
	return (await exists(beside)) ? beside : '/sys/fs/cgroup';
}

async function childOf(pid: number): Promise<number | undefined> {
	const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
	const child = Number(text.trim().split(' ')[0]);
	return child > 0 ? child : undefined;
}

/** Its processes are gone, or will be at once; a group goes before the one that it is in. */
async function removeCgroup(path: string): Promise<void> {
	for (const entry of await readdir(path, { withFileTypes: true }))
		if (entry.isDirectory()) await removeCgroup(join(path, entry.name));
	const removed = () =>
		rmdir(path).then(
			() => true,
			() => false,
		);
	await waitFor('a group without processes', removed, { timeoutMs: 10_000 });
}
