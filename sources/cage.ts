/**
 * A cage for the tools that read images, since what an image says decides what they do: they see the system's programs, the
 * files that were opened for them, and nothing else of this host – neither its files, devices and processes nor its network.
 */
import { existsSync, readlinkSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { exchanged } from './way-to-file.ts';
import { type OpenedFile } from './opened-file.ts';

export interface CageLimits {
	/** Of address space, which is what a limit on memory can hold a program to. */
	memoryBytes: number;
	cpuSeconds: number;
}

export interface CagedFile {
	file: OpenedFile;
	/** Its place below `/image/`: a directory that has no spaces in its name, and a file name. */
	name: string;
}

export interface Cage {
	files: readonly CagedFile[];
	/** A directory of ours that the tool finds as `/socket`, and may write to. */
	socketDirectory?: string | undefined;
	limits: CageLimits;
}

/** What is started: a program with its arguments, environment and descriptors from 3 on. */
export interface CagedCommand {
	program: string;
	args: string[];
	env: NodeJS.ProcessEnv;
	files: number[];
}

export const inCage = (name: string) => `/image/${name}`;
export const socketsInCage = '/socket';

/**
 * Arguments: what is mounted, as fstab(5); the directories to make; limits of memory (KiB) and CPU time; pairs of a descriptor
 * and its place; `--`; the command.
 *
 * The kernel binds no file that was opened in another mount namespace, so each is bound by its path, and compared with its
 * descriptor when it is in place. One mount does all, since every program costs a millisecond. /sys is
 * covered because it is everywhere and no image lies there.
 *
 * chroot holds what has no capability, no directory open outside and no /proc; and unlike after pivot_root the kernel refuses
 * it user namespaces, which would give it capabilities again: create_user_ns() of kernel/user_namespace.c.
 */
const script = `set -eu
umask 022 # ours would close the cage to the one who is in it
mount -t tmpfs -o size=256k,mode=0755,nosuid,nodev cage /sys
cd /sys
printf %s "$1" >mounts
mkdir $2
memory=$3 time=$4
shift 4
touchAll() { while [ "$1" != -- ]; do : >"$2"; shift 2; done; }
touchAll "$@"
: >dev/null
: >etc/ld.so.cache
mount --all --fstab mounts || failed=yes
: >mounts
while [ "$1" != -- ]; do
	[ "$2" -ef "/proc/self/fd/$1" ] || { echo "cage: exchanged $2" >&2; exit 1; }
	shift 2
done
shift
[ -z "\${failed-}" ]
ulimit -v "$memory"
ulimit -t "$time"
ulimit -c 0
ulimit -f 0
exec chroot . "$@"`;

/**
 * The command that runs `tool` in a cage, as the owner of its first file and without any capability: who may not read a file
 * by itself does not read it through us. A process outside that has the same owner can reach the tool, and gains what it
 * could read before.
 */
export function caged(tool: string, args: readonly string[], cage: Cage): CagedCommand {
	const { files, limits } = cage;
	const isRoot = process.geteuid?.() === 0;
	// The tool is the first process of its own process namespace: it sees no other to trace or to signal.
	const namespaces = ['--mount', '--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child'];
	const system = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'nix'].filter(place => existsSync(`/${place}`));
	const places = new Set(files.map(({ name }) => `image/${dirname(name)}`));
	const directories = [...system, 'dev', 'etc', 'socket', 'image', ...places];
	const pairs = files.flatMap(({ name }, index) => [String(index + firstDescriptor), `image/${name}`]);
	const quantities = [Math.floor(limits.memoryBytes / 1024), limits.cpuSeconds].map(String);
	const building = ['sh', '-c', script, 'cage', mounts(system, cage), directories.join(' '), ...quantities, ...pairs];
	const lowered = ['setpriv', ...(isRoot ? ownerOf(files) : []), ...withoutCapabilities];
	return {
		program: 'unshare',
		args: [...(isRoot ? [] : ['--map-root-user']), ...namespaces, ...building, '--', ...lowered, tool, ...args],
		env: {
			LC_ALL: 'C',
			PATH: [process.env['PATH'] ?? '', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(delimiter),
			// Each of many threads would reserve address space, of which there is a limit.
			MALLOC_ARENA_MAX: '2',
		},
		files: files.map(({ file }) => file.handle.fd),
	};
}

const firstDescriptor = 3;
const withoutCapabilities = ['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs'];

function mounts(system: readonly string[], { files, socketDirectory }: Cage): string {
	const line = (from: string | Buffer, to: string, options: string) =>
		`${escaped(from)} ${escaped(`/sys/${to}`)} none ${options}\n`;
	const libraries = '/etc/ld.so.cache';
	return [
		...system.map(place => line(`/${place}`, place, 'rbind,ro,nosuid,nodev')),
		...(existsSync(libraries) ? [line(libraries, libraries.slice(1), 'bind,ro,nosuid,nodev,noexec')] : []),
		// QEMU tries on it whether locks of open files work, and takes none when it is not there.
		line('/dev/null', 'dev/null', 'bind'),
		...(socketDirectory === undefined ? [] : [line(socketDirectory, 'socket', 'bind,nosuid,nodev,noexec')]),
		...files.map(({ file, name }) => {
			const options = `bind,ro,nosuid,noexec${file.found.isBlockDevice() ? '' : ',nodev'}`;
			return line(readlinkSync(`/proc/self/fd/${file.handle.fd}`, 'buffer'), `image/${name}`, options);
		}),
	].join('');
}

/** fstab(5): whatever could end a field or begin a comment as the octal number of its byte. */
function escaped(path: string | Buffer): string {
	return Buffer.from(path)
		.toString('latin1')
		.replaceAll(/[^!-~]|[\\#]/g, byte => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

function ownerOf([first]: readonly CagedFile[]): string[] {
	if (first === undefined) throw new Error('a cage without a file has no owner');
	const { uid, gid } = first.file.found;
	return [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
}

/**
 * Whether the tool was killed. unshare(1) ends by the signal that its child ended by; before 2.39 it fails at that when the
 * signal is SIGKILL, as the limit of CPU time sends it: https://github.com/util-linux/util-linux, sys-utils/unshare.c
 */
export function wasKilled(stderr: string): boolean {
	return /^unshare: sigprocmask unblock failed/m.test(stderr);
}

/** Why the cage could not be built, by what was said on standard error; undefined when the tool itself said it. */
export function cageError(stderr: string, files: readonly CagedFile[]): RouseError | undefined {
	const lines = stderr.split('\n');
	const first = lines.find(line => line.trim() !== '') ?? '';
	const isSound = !first.startsWith('mount: ') || first.startsWith('mount: /sys/image/');
	const file = files.find(({ name }) => lines.includes(`cage: exchanged image/${name}`))?.file;
	if (file && isSound) return exchanged(file.path);
	const absent = /^setpriv: failed to execute (.*): No such file/m.exec(stderr)?.[1];
	if (absent !== undefined)
		return new RouseError('tool_missing', `${absent} is not installed where the system's programs are`, {
			hint: 'apt-get install qemu-utils',
		});
	if (wasKilled(stderr) || !/^(unshare|cage|sh|mount|mkdir|chroot|setpriv)\b.*:/.test(first)) return undefined;
	return new RouseError('precheck_failed', `images cannot be read safely on this host: ${first}`, {
		hint: 'tools that read images run in namespaces of their own. Where only root may make them: run Rouse as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0); in a container: let it have CAP_SYS_ADMIN',
	});
}
