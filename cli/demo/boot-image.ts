import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import { GuestConsole } from './console.ts';

export interface BootedImage {
	console: GuestConsole;
	/** Resolves when QEMU has ended, as it does when the guest powers off. */
	ended: Promise<void>;
	/** Pulls the plug. */
	kill: () => Promise<void>;
}

/**
 * Starts a raw image of tools/guest in place, as the machine that will be backed up: no Rouse is involved, and so nobody has
 * tried whether KVM works. Emulated, it boots on every host.
 */
export async function bootImage(
	image: string,
	{ directory, firmwareCode, signal }: { directory: string; firmwareCode?: string | undefined; signal?: AbortSignal },
): Promise<BootedImage> {
	const socket = join(directory, 'console.sock');
	const filename = image.replaceAll(',', ',,');
	const machine = spawn(
		'qemu-system-x86_64',
		[
			// The emulator does the moves that these flags make the guest use a byte at a time.
			['-machine', 'q35', '-accel', 'tcg', '-cpu', 'max,erms=off,fsrm=off', '-m', '256'],
			['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
			['-chardev', `socket,id=console,path=${socket.replaceAll(',', ',,')},server=on,wait=off`],
			['-device', 'isa-serial,chardev=console'],
			['-blockdev', `driver=raw,node-name=disk,discard=unmap,file.driver=file,file.filename=${filename}`],
			['-device', 'virtio-blk-pci,drive=disk,bootindex=0'],
			firmwareCode === undefined ? [] : ['-bios', firmwareCode],
		].flat(),
		{ stdio: ['ignore', 'ignore', 'pipe'], ...(signal ? { signal, killSignal: 'SIGKILL' } : {}) },
	);
	let stderr = '';
	machine.stderr.on('data', (text: Buffer) => (stderr += text.toString('utf8')));
	const ended = end(machine);
	const kill = async () => {
		machine.kill('SIGKILL');
		await ended;
	};
	try {
		const console = await waitFor(
			'QEMU to open its console',
			async () => {
				if (machine.exitCode !== null || machine.pid === undefined)
					throw new RouseError('machine_failed', `QEMU does not start ${image}: ${stderr.trim()}`);
				return await GuestConsole.open(socket).catch(() => undefined);
			},
			{ timeoutMs: 20_000, signal },
		);
		return { console, ended, kill };
	} catch (error) {
		await kill();
		throw error;
	}
}

function end(machine: ChildProcess): Promise<void> {
	return new Promise(resolve => {
		machine.once('error', () => resolve()); // not started, or aborted: who waits for more hears of that
		machine.once('close', () => resolve());
	});
}
