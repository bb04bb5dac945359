import { access } from 'node:fs/promises';
import { askVersion, atLeast } from '../../system/tool-version.ts';

/** A program or file of the system that Rouse works with, and the Debian package that brings it. */
export interface Tool {
	name: string;
	purpose: string;
	debianPackage: string;
	/** A file that must be there, or a program that tells its version. */
	probe: { file: string } | { command: string; args?: readonly string[]; least?: string };
}

export const tools: readonly Tool[] = [
	// 7.2 is what the switch was proven on; older ones lack parts of it.
	program('qemu-system-x86_64', 'runs the machines', 'qemu-system-x86', '7.2'),
	program('qemu-img', 'makes overlays', 'qemu-utils', '7.2'),
	program('qemu-nbd', 'reads source images', 'qemu-utils', '7.2'),
	program('qemu-io', 'disk access in tests', 'qemu-utils', '7.2'),
	{
		name: 'OVMF',
		purpose: 'firmware of EFI machines',
		debianPackage: 'ovmf',
		probe: { file: '/usr/share/OVMF/OVMF_CODE_4M.fd' },
	},
	// --no-fork (-F) came with 2.34: https://github.com/util-linux/util-linux, sys-utils/flock.1
	program('flock', 'locks that name processes', 'util-linux', '2.34'),
	program('unshare', 'isolates Temporal, and tools that read images', 'util-linux'),
	program('nsenter', 'opens a way to it for its own user', 'util-linux'),
	{
		name: 'ip',
		purpose: 'loopback where Temporal is alone, and taps of machines on a bridge or macvtap',
		debianPackage: 'iproute2',
		probe: { command: 'ip', args: ['-V'] },
	},
	{
		name: 'openssl',
		purpose: "certificates of Temporal's door",
		debianPackage: 'openssl',
		probe: { command: 'openssl', args: ['version'] },
	},
	program('setpriv', 'ends a trial of KVM with its process, and lowers the rights of tools', 'util-linux'),
	program('mount', 'what such tools see', 'mount'),
	program('nbdinfo', 'NBD client in tests', 'libnbd-bin'),
	program('nbdcopy', 'NBD client in tests', 'libnbd-bin'),
	program('nbdkit', 'NBD server in tests', 'nbdkit'),
	program('mkntfs', 'volumes of Hyper-V hosts in tests', 'ntfs-3g'),
	program('qemu-storage-daemon', 'shows them as files in tests', 'qemu-system-common'),
	program('tgtd', 'serves them over iSCSI in tests', 'tgt'),
	{
		name: 'iscsi-ls',
		purpose: 'iSCSI initiator in tests',
		debianPackage: 'libiscsi-bin',
		probe: { command: 'iscsi-ls', args: ['--help'] },
	},
	{
		name: 'iSCSI driver of QEMU',
		purpose: 'iSCSI initiator in tests',
		debianPackage: 'qemu-block-extra',
		probe: { file: '/usr/lib/x86_64-linux-gnu/qemu/block-iscsi.so' },
	},
	{
		name: 'mkfs.ext4',
		purpose: 'a small file system in tests',
		debianPackage: 'e2fsprogs',
		probe: { command: 'mkfs.ext4', args: ['-V'] },
	},
	{
		name: '7zz',
		purpose: 'reads VHDXs in tests',
		debianPackage: '7zip',
		probe: { command: '7zz', args: ['-h'] },
	},
	{
		name: 'vhdiinfo',
		purpose: 'reads VHDXs in tests',
		debianPackage: 'libvhdi-utils',
		probe: { command: 'vhdiinfo', args: ['-V'] },
	},
	{
		name: 'ensurepip',
		purpose: 'virtual environments of Python in tests',
		debianPackage: 'python3-venv',
		probe: { command: 'python3', args: ['-c', 'import ensurepip; print(ensurepip.version())'] },
	},
	program('fio', 'load in tests and measurements', 'fio'),
	program('zsh', 'completion in tests', 'zsh'),
	program('man', 'manual pages in tests', 'man-db'),
];

export interface Finding {
	name: string;
	purpose: string;
	ok: boolean;
	version: string | null;
	/** What is wrong, for a person; null when nothing is. */
	problem: string | null;
}

export interface Check extends Finding {
	/** The command that mends it; null when nothing has to be mended. */
	fix: string | null;
}

export async function inspectTool(tool: Tool, signal?: AbortSignal): Promise<Finding> {
	const { name, purpose, probe } = tool;
	if ('file' in probe) {
		const there = await access(probe.file).then(
			() => true,
			() => false,
		);
		return { name, purpose, ok: there, version: null, problem: there ? null : `no ${probe.file}` };
	}
	const { said, problem } = await askVersion(probe.command, { args: probe.args, signal });
	if (problem !== null) return { name, purpose, ok: false, version: null, problem };
	const version = /\d+(\.\d+)+/.exec(said)?.[0] ?? null;
	const old = probe.least !== undefined && (version === null || !atLeast(version, probe.least));
	return { name, purpose, ok: !old, version, problem: old ? `${probe.least} or newer is needed` : null };
}

function program(command: string, purpose: string, debianPackage: string, least?: string): Tool {
	return { name: command, purpose, debianPackage, probe: least === undefined ? { command } : { command, least } };
}
