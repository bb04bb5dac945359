/** A QEMU that is no machine of Rouse's, as somebody runs one of their own: with a monitor for backups beside their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '../../system/wait.ts';
import { QemuGuest } from './qemu-guest.ts';

export interface SourceQemuOptions {
	uuid: string;
	/** Beside what every machine here has. */
	args: readonly string[];
	/** Without it the processors stand still from the beginning, and its disks are written by `qemu-io`. */
	runs?: boolean;
}

export class SourceQemu {
	readonly directory: string;
	readonly guest: QemuGuest;
	readonly #child: ChildProcess;

	private constructor(directory: string, child: ChildProcess) {
		this.directory = directory;
		this.#child = child;
		this.guest = new QemuGuest({ log: logIn(directory), sockets: { qmp: join(directory, 'own') } });
	}

	static async start(directory: string, { uuid, args, runs = false }: SourceQemuOptions): Promise<SourceQemu> {
		const log = await open(logIn(directory), 'w');
		const monitors = ['backup', 'own'].flatMap(name => ['-qmp', `unix:${join(directory, name)},server=on,wait=off`]);
		const common = ['-machine', 'pc', '-accel', 'tcg', '-nodefaults', '-no-user-config', '-display', 'none'];
		// What `qemu-io` says comes on standard output, which a C library would hold back.
		const child = spawn(
			'stdbuf',
			['-oL', 'qemu-system-x86_64', ...common, '-uuid', uuid, ...(runs ? [] : ['-S']), ...monitors, ...args],
			{ stdio: ['ignore', log.fd, log.fd] },
		);
		await log.close();
		const qemu = new SourceQemu(directory, child);
		await waitFor(
			'QEMU to answer',
			async () => {
				if (child.exitCode !== null) throw new Error('QEMU has not started: see its log');
				return qemu.guest.execute('query-status').then(
					() => true,
					() => false,
				);
			},
			{ timeoutMs: 20_000 },
		);
		return qemu;
	}

	/** A command of `qemu-io` on a drive by its name, which writes. */
	async writesTo(drive: string, command: string): Promise<void> {
		const before = (await readFile(logIn(this.directory))).length;
		await this.guest.execute('human-monitor-command', { 'command-line': `qemu-io ${drive} "${command}"` });
		await waitFor(
			'QEMU to have written',
			async () => /wrote (\d+)\/\1 bytes/.test((await readFile(logIn(this.directory), 'utf8')).slice(before)),
			{ timeoutMs: 10_000, everyMs: 5 },
		);
	}

	/** As a loss of power. */
	async kill(): Promise<void> {
		await this.#end(() => void this.#child.kill('SIGKILL'));
	}

	/** As its owner ends it: bitmaps that may be kept are stored. */
	async quit(): Promise<void> {
		await this.#end(() => void this.guest.execute('quit').catch(() => undefined));
	}

	async #end(how: () => void): Promise<void> {
		if (this.#child.exitCode === null && this.#child.signalCode === null) {
			const gone = once(this.#child, 'exit');
			how();
			await gone;
		}
		this.guest.close();
	}
}

function logIn(directory: string): string {
	return join(directory, 'log');
}

/** Arguments for a disk that is to be found under this id. */
export function diskArgs(id: string, path: string, format: 'qcow2' | 'raw'): string[] {
	const node = `driver=${format},node-name=node-${id},discard=unmap,file.driver=file,file.filename=${path}`;
	return ['-blockdev', node, '-device', `virtio-blk-pci,drive=node-${id},id=${id}`];
}
