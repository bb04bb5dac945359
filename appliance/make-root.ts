import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { fillCompileCache } from './compile-cache.ts';
import { enabledUnits, excludedPaths, includedPaths, packages, sources, suite } from './debian.ts';
import { rootFilesDirectory } from './inputs.ts';
import { copyRouse } from './rouse-files.ts';
import { runBuildTool } from './run-build-tool.ts';

export interface Made {
	/** The root file system as a directory. */
	root: string;
	/** What the firmware's partition needs. */
	bootLoader: string;
	kernel: string;
	initramfs: string;
	/** A line for each package: name and version. */
	packageList: string;
}

interface MakeOptions {
	signal?: AbortSignal | undefined;
	onLine?: ((line: string) => void) | undefined;
}

/** With our own umask the scripts of packages would make files of the system that only root can read. */
const asTheSystem = ['sh', '-c', 'umask 022; exec "$0" "$@"'];

/** Fills an empty directory: Debian by mmdebstrap, our files, Rouse with its Node. Throws as `runBuildTool`. */
export async function makeRoot(directory: string, options: MakeOptions): Promise<Made> {
	const root = join(directory, 'root');
	// It mounts /proc, /sys and parts of /dev there. When it is killed they would stay, and be what is removed with the rest.
	const apart = ['--mount', '--propagation', 'private', '--', ...asTheSystem, 'mmdebstrap'];
	const args = [...(await bootstrapArguments(options)), suite, root, ...sources];
	await runBuildTool('unshare', [...apart, ...args], { ...options, env: { ROUSE_ROOT_FILES: rootFilesDirectory } });
	await copyRouse(root, options);
	await fillCompileCache(root, options);
	await runBuildTool('chroot', [root, 'systemctl', 'enable', ...enabledUnits], options);
	const format = '${Package} ${Version}\\n';
	const packageList = await runBuildTool('chroot', [root, 'dpkg-query', '--show', `--showformat=${format}`], options);
	await writeForAll(join(root, 'opt', 'rouse', 'packages.txt'), packageList);
	await forgetBuilder(root);
	return { root, packageList, ...(await takeBootFiles(root, directory)) };
}

async function bootstrapArguments({ signal }: MakeOptions): Promise<string[]> {
	return [
		'--variant=minbase',
		'--components=main',
		`--include=${packages.join(',')}`,
		'--aptopt=Acquire::Languages "none"',
		'--aptopt=APT::Install-Recommends "false"',
		...(await proxyArguments(signal)),
		...excludedPaths.map(path => `--dpkgopt=path-exclude=${path}`),
		...includedPaths.map(path => `--dpkgopt=path-include=${path}`),
		// Before the kernel is installed, so that its initramfs is made once, and as these files say.
		'--essential-hook=umask 022 && cp -R "$ROUSE_ROOT_FILES"/. "$1"/',
	];
}

/** mmdebstrap asks by rules of its own; who reaches Debian through a proxy has told apt. */
async function proxyArguments(signal: AbortSignal | undefined): Promise<string[]> {
	const said = await runBuildTool('apt-config', ['dump', '--format', '%f=%v%n', 'Acquire::http::Proxy'], { signal });
	const proxy = /^Acquire::http::Proxy=(\S+)$/m.exec(said)?.[1];
	return proxy === undefined ? [] : [`--aptopt=Acquire::http::Proxy "${proxy}"`];
}

/** Nothing of the machine that built it, and nothing that two appliances would share. */
export async function forgetBuilder(root: string): Promise<void> {
	const etc = join(root, 'etc');
	for (const path of ['apt/apt.conf.d/99mmdebstrap', 'resolv.conf', 'hosts', 'machine-id'])
		await rm(join(etc, path), { force: true });
	await rm(join(root, 'var', 'lib', 'dbus', 'machine-id'), { force: true });
	// Empty: systemd makes one at the first boot, in this file. systemd-networkd is not root: one that it cannot read costs
	// every network card its addresses.
	await writeForAll(join(etc, 'machine-id'), '');
	await writeForAll(join(etc, 'hostname'), 'rouse-appliance\n');
	await writeForAll(join(etc, 'hosts'), '127.0.0.1 localhost\n::1 localhost\n');
	await writeForAll(join(etc, 'resolv.conf'), '');
	await mkdir(join(root, 'var', 'lib', 'rouse'), { mode: 0o700 });
}

/** Readable for every user of the image, whatever the umask is. */
async function writeForAll(path: string, text: string): Promise<void> {
	await writeFile(path, text);
	await chmod(path, 0o644);
}

/** The firmware's partition has them; a second copy would only take room. */
async function takeBootFiles(
	root: string,
	directory: string,
): Promise<Pick<Made, 'bootLoader' | 'kernel' | 'initramfs'>> {
	const boot = join(root, 'boot');
	const names = await readdir(boot);
	const take = async (prefix: string): Promise<string> => {
		const name = names.find(one => one.startsWith(prefix));
		if (name === undefined) throw new RouseError('internal', `no ${prefix}… in ${boot}: ${names.join(', ')}`);
		const taken = join(directory, prefix);
		await rename(join(boot, name), taken);
		return taken;
	};
	return {
		bootLoader: join(root, 'usr', 'lib', 'systemd', 'boot', 'efi', 'systemd-bootx64.efi'),
		kernel: await take('vmlinuz'),
		initramfs: await take('initrd.img'),
	};
}
