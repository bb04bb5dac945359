import { type KernelFacts, kernelFactsSchema, type ModuleFacts } from '../model/boot-facts.ts';
import type { FileSystem, NamedFileSystem } from './file-node.ts';
import { type InitramfsContents, readInitramfs } from './initramfs/contents.ts';
import { builtInModules, dependingModules, lookedForModules } from './linux-modules.ts';
import type { Notes } from './notes.ts';
import { find, namesAt, textAt } from './paths.ts';

const mostKernels = 3;
const mostNames = 256;
/** `modules.dep` of a distribution's kernel has half a MiB. */
const mostTextBytes = 8 * 2 ** 20;

/** Undefined: not known. */
type Names = ReadonlySet<string> | undefined;

interface Kernel {
	version: string;
	fileSystem: NamedFileSystem;
	folder: string;
}

/** Kernels of all file systems of a machine, the newest first, with what each of them finds a disk by. */
export async function readLinux(fileSystems: readonly NamedFileSystem[], notes: Notes): Promise<KernelFacts[]> {
	const found: Kernel[] = [];
	for (const fileSystem of fileSystems)
		for (const folder of ['/boot', '/']) {
			const names = await notes.unlessUnreadable(`kernels in ${folder}`, fileSystem.where, () =>
				namesAt(fileSystem, folder, name => versionOf(name) !== undefined, mostNames),
			);
			for (const name of names ?? []) found.push({ version: versionOf(name) ?? '', fileSystem, folder });
		}
	const newest = found.toSorted((a, b) => compareVersions(b.version, a.version));
	const kernels: KernelFacts[] = [];
	for (const kernel of newest.slice(0, mostKernels)) kernels.push(await factsOf(kernel, fileSystems, notes));
	return kernels;
}

/** Of a file that is a kernel a machine starts by itself: neither one to be rescued with nor a copy. */
function versionOf(name: string): string | undefined {
	const version = /^vmlinuz-(.+)$/.exec(name)?.[1];
	if (version === undefined || /rescue|\.(?:old|bak|gz|xz|hmac|signed|dpkg-\w+|rpm\w+)$/.test(version))
		return undefined;
	return kernelFactsSchema.shape.version.safeParse(version).success ? version : undefined;
}

/** As the name of its initramfs is made by initramfs-tools, dracut, SUSE's dracut and mkinitcpio. */
const initramfsNames = (version: string) => [
	`initrd.img-${version}`,
	`initramfs-${version}.img`,
	`initrd-${version}`,
	`initramfs-${version}`,
];

async function factsOf(
	{ version, fileSystem, folder }: Kernel,
	fileSystems: readonly NamedFileSystem[],
	notes: Notes,
): Promise<KernelFacts> {
	const early = await notes.unlessUnreadable(`initramfs of ${version}`, fileSystem.where, () =>
		initramfsOf(fileSystem, folder, version),
	);
	const named = modulesFolder(version, early);
	const first = early?.versions.get(named);
	const modulesAt = (names: readonly string[]) =>
		notes.unlessUnreadable(`modules of ${named}`, '', () => modulesText(fileSystems, named, names));
	const builtInText = first?.builtIn ? undefined : await modulesAt(['modules.builtin']);
	const builtIn = first?.builtIn ?? (builtInText === undefined ? undefined : builtInModules(builtInText));
	const installedText = await modulesAt(['modules.dep', 'modules.order']);
	const installed = installedText === undefined ? undefined : dependingModules(installedText);
	const of = (module: string): ModuleFacts => ({
		early: placeOf(module, builtIn, early, first?.modules),
		installed: isInstalled(module, builtIn, installed, first?.modules),
	});
	return { version, modules: Object.fromEntries(lookedForModules.map(module => [module, of(module)])) };
}

/** Of a kernel whose file is named otherwise than the folder of its modules (`vmlinuz-linux`), the initramfs tells. */
function modulesFolder(version: string, early: InitramfsContents | undefined): string {
	const only = early?.versions.size === 1 ? [...early.versions.keys()][0] : undefined;
	return only ?? version;
}

function isInstalled(module: string, builtIn: Names, installed: Names, early: Names): boolean | null {
	if (builtIn?.has(module) || installed?.has(module) || early?.has(module)) return true;
	return builtIn !== undefined && installed !== undefined ? false : null;
}

function placeOf(
	module: string,
	builtIn: Names,
	early: InitramfsContents | undefined,
	modules: Names,
): ModuleFacts['early'] {
	if (builtIn?.has(module)) return 'kernel';
	if (modules?.has(module)) return early?.forbidden.has(module) ? 'blocked' : 'initramfs';
	// What is not in a whole initramfs may still be built in.
	return early !== undefined && builtIn !== undefined ? 'no' : null;
}

/** Of a kernel that has none, an empty one: the kernel finds its disk by itself. */
async function initramfsOf(fileSystem: FileSystem, folder: string, version: string): Promise<InitramfsContents> {
	for (const name of initramfsNames(version)) {
		const file = await find(fileSystem, `${folder}/${name}`);
		if (file?.kind === 'file') return await readInitramfs(file, new Set(lookedForModules));
	}
	return { versions: new Map(), forbidden: new Set() };
}

/** From the first file system that has such a file. */
async function modulesText(
	fileSystems: readonly FileSystem[],
	version: string,
	names: readonly string[],
): Promise<string | undefined> {
	for (const fileSystem of fileSystems)
		for (const folder of ['/lib/modules', '/usr/lib/modules'])
			for (const name of names) {
				const text = await textAt(fileSystem, `${folder}/${version}/${name}`, mostTextBytes);
				if (text !== undefined) return text;
			}
	return undefined;
}

/** By their numbers, and where these are equal by the letters between: 6.1.0-9 is older than 6.1.0-18. */
export function compareVersions(a: string, b: string): number {
	return a.localeCompare(b, 'en', { numeric: true });
}
