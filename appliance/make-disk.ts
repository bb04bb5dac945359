import { type FileHandle, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { uuidOf } from './inputs.ts';
import type { Made } from './make-root.ts';
import { type BuildToolOptions, runBuildTool } from './run-build-tool.ts';
import { copySparse } from './sparse-copy.ts';

const MiB = 1024 * 1024;

/** Where the partitions are. The last one holds what Rouse writes, on XFS: a volume's private file may be 64 TiB, sparse. */
const partitions = {
	boot: { name: 'rouse-boot', atBytes: MiB, sizeBytes: 127 * MiB, type: 'U' },
	root: { name: 'rouse-root', atBytes: 128 * MiB, sizeBytes: 2048 * MiB, type: 'L' },
	state: { name: 'rouse-state', atBytes: 2176 * MiB, sizeBytes: 6015 * MiB, type: 'L' },
} as const;
type Partition = keyof typeof partitions;
const diskSizeBytes = 8192 * MiB;

/** A raw disk that UEFI boots, in `directory`; nothing is mounted, and no loop device used. */
export async function makeDisk(
	made: Made,
	inputs: string,
	directory: string,
	options: BuildToolOptions,
): Promise<string> {
	const id = (what: string) => uuidOf(inputs, what);
	await writeFile(join(made.root, 'etc', 'fstab'), fileSystemTable(id));
	const path = join(directory, 'disk.raw');
	const disk = await open(path, 'wx+', 0o600);
	try {
		await disk.truncate(diskSizeBytes);
		await makeTable(path, id, options);
		for (const name of ['boot', 'root', 'state'] as const) {
			const part = join(directory, `${name}.part`);
			await makeEmpty(part, partitions[name].sizeBytes);
			await makeFileSystem[name](part, { made, id, directory, options });
			await copyPart(part, disk, partitions[name].atBytes, options.signal);
		}
	} finally {
		await disk.close();
	}
	return path;
}

interface Making {
	made: Made;
	id: (what: string) => string;
	directory: string;
	options: BuildToolOptions;
}

const makeFileSystem: Readonly<Record<Partition, (part: string, making: Making) => Promise<void>>> = {
	boot: async (part, { made, id, directory, options }) => {
		const volumeId = id('boot volume').slice(0, 8);
		await runBuildTool('mkfs.vfat', ['-F', '32', '-n', 'ROUSE-BOOT', '-i', volumeId, '--invariant', part], options);
		const entries = join(directory, 'loader');
		await mkdir(join(entries, 'entries'), { recursive: true });
		await writeFile(join(entries, 'loader.conf'), 'timeout 0\neditor no\n');
		await writeFile(join(entries, 'entries', 'rouse.conf'), bootEntry(id));
		await runBuildTool('mmd', ['-i', part, '::EFI', '::EFI/BOOT'], options);
		for (const [from, to] of [
			[made.bootLoader, '::EFI/BOOT/BOOTX64.EFI'],
			[made.kernel, '::vmlinuz'],
			[made.initramfs, '::initrd.img'],
		] as const)
			await runBuildTool('mcopy', ['-i', part, from, to], options);
		await runBuildTool('mcopy', ['-s', '-i', part, entries, '::loader'], options);
	},
	root: async (part, { made, id, options }) => {
		const extended = `hash_seed=${id('root hash')},lazy_itable_init=1`;
		await runBuildTool(
			'mke2fs',
			['-q', '-t', 'ext4', '-U', id('root file system'), '-E', extended, '-d', made.root, part],
			options,
		);
	},
	state: async (part, { id, options }) => {
		await runBuildTool('mkfs.xfs', ['-q', '-m', `uuid=${id('state file system')}`, part], options);
	},
};

/** Types `U` and `L` are sfdisk's words for an EFI system partition and Linux file systems. */
async function makeTable(path: string, id: (what: string) => string, options: BuildToolOptions): Promise<void> {
	const script = `${path}.table`;
	const lines = Object.entries(partitions).map(
		([what, { name, atBytes, sizeBytes, type }]) =>
			`start=${atBytes / 512}, size=${sizeBytes / 512}, type=${type}, uuid=${id(what)}, name=${name}`,
	);
	await writeFile(script, `label: gpt\nlabel-id: ${id('disk')}\n${lines.join('\n')}\n`);
	// sfdisk reads its script from standard input alone.
	await runBuildTool('sh', ['-c', 'exec sfdisk --quiet "$1" <"$2"', 'sh', path, script], options);
}

/** By ids, never by labels: disks of guests are attached, and may have any label. */
function bootEntry(id: (what: string) => string): string {
	const options = `root=PARTUUID=${id('root')} rw console=tty0 console=ttyS0 systemd.getty_auto=no systemd.gpt_auto=no`;
	return `title Rouse appliance\nlinux /vmlinuz\ninitrd /initrd.img\noptions ${options}\n`;
}

function fileSystemTable(id: (what: string) => string): string {
	return [
		`PARTUUID=${id('root')} / ext4 noatime 0 0`,
		`PARTUUID=${id('state')} /var/lib/rouse xfs noatime,nosuid,nodev 0 0`,
		'',
	].join('\n');
}

async function makeEmpty(path: string, sizeBytes: number): Promise<void> {
	const file = await open(path, 'wx', 0o600);
	try {
		await file.truncate(sizeBytes);
	} finally {
		await file.close();
	}
}

async function copyPart(
	part: string,
	disk: FileHandle,
	atBytes: number,
	signal: AbortSignal | undefined,
): Promise<void> {
	const file = await open(part, 'r');
	try {
		await copySparse(file, disk, atBytes, signal);
	} finally {
		await file.close();
	}
}
