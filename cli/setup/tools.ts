import { access } from 'node:fs/promises';
import { askVersion, atLeast } from '../../system/tool-version.ts';

/** A program or file of the system, and the Debian package that brings it. */
export interface Tool {
	name: string;
	purpose: string;
	debianPackage: string;
	/** A file that must be there, or a program that tells its version. */
	probe: { file: string } | { command: string; args?: readonly string[]; least?: string };
}

/** What Rouse works with. */
export const tools: readonly Tool[] = [
	// 7.2 is what the switch was proven on; older ones lack parts of it.
	program('qemu-system-x86_64', 'runs the machines', 'qemu-system-x86', '7.2'),
	program('qemu-img', 'makes overlays', 'qemu-utils', '7.2'),
	program('qemu-nbd', 'reads source images', 'qemu-utils', '7.2'),
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
	{
		name: 'e2fsck',
		purpose: 'checks the disk of the demonstration',
		debianPackage: 'e2fsprogs',
		probe: { command: 'e2fsck', args: ['-V'] },
	},
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

export function program(command: string, purpose: string, debianPackage: string, least?: string): Tool {
	return { name: command, purpose, debianPackage, probe: least === undefined ? { command } : { command, least } };
}
