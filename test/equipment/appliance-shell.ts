/** A root shell in the booted appliance, on its second serial port: the image has none, so the kernel is told of it. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { isMounted } from '../../hypervisors/hyperv/mounted-file.ts';
import { exists } from '../../system/if-there.ts';
import { waitFor } from '../../system/wait.ts';
import { captive } from './captive.ts';

const run = promisify(execFile);
const entry = '::loader/entries/rouse.conf';

/**
 * Adds to the kernel's command line in the boot entry of a disk: systemd-debug-generator(8). On a busy machine the kernel finds
 * that an emulated timer does not work, and panics; kernel-parameters.txt of Linux has the way out.
 */
export async function addShell(t: Pick<TestContext, 'after'>, qcow2Path: string): Promise<void> {
	const directory = dirname(qcow2Path);
	const [disk, text] = [join(directory, 'boot-entry.raw'), join(directory, 'boot-entry.conf')];
	await writeFile(disk, '');
	const daemon = captive(t, 'qemu-storage-daemon', [
		'--blockdev',
		`driver=file,node-name=file,filename=${qcow2Path}`,
		'--blockdev',
		'driver=qcow2,node-name=disk,file=file',
		'--export',
		`type=fuse,id=disk,node-name=disk,mountpoint=${disk},writable=on`,
	]);
	try {
		await waitFor('the disk to be a file', () => isMounted(disk), { timeoutMs: 20_000 });
		const part = ['-i', `${disk}@@1M`];
		await run('mcopy', [...part, entry, text]);
		const changed = (await readFile(text, 'utf8')).replace(
			/^options .*$/m,
			'$& systemd.debug_shell=ttyS1 no_timer_check',
		);
		await writeFile(text, changed);
		await run('mcopy', ['-o', ...part, text, entry]);
	} finally {
		await daemon.end();
		await rm(disk, { force: true });
	}
}

/** What a command has printed; throws when it ends with another code than 0. */
export type Shell = (command: string) => Promise<string>;

const answersMs = 300_000;

/** `socketPath`: of the serial port. Commands of at most 4000 bytes (N_TTY_BUF_SIZE of Linux), one at a time. */
export async function openShell(t: Pick<TestContext, 'after'>, socketPath: string): Promise<Shell> {
	await waitFor('QEMU to have a serial port', () => exists(socketPath), { timeoutMs: 60_000 });
	const socket = connect(socketPath);
	await once(socket, 'connect');
	t.after(() => socket.destroy());
	let heard = '';
	socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
	socket.on('error', () => undefined); // QEMU ended
	let count = 0;
	const tell = async (command: string, timeoutMs: number): Promise<string> => {
		count += 1;
		const end = new RegExp(`\n?end-${count}-(\\d+)\r?\n`);
		heard = '';
		// Behind a quote, so that an echo of the line is not taken for the answer.
		socket.write(`{ ${command}\n} 2>&1; echo "end-"${count}-$?\n`);
		await waitFor(command, () => end.test(heard) || socket.destroyed, { timeoutMs, everyMs: 20 });
		const [said, code] = [heard.split(end)[0] ?? '', end.exec(heard)?.[1]];
		if (code !== '0') throw new Error(`${command} ended with ${code ?? 'the machine'}: ${said}`);
		return said.replaceAll('\r\n', '\n').trim();
	};
	await firstAnswer(socket, () => heard);
	// bash edits its lines, and says so among the answers.
	socket.write('exec dash\n');
	await tell('stty -echo; PS1=; PS2=', answersMs);
	return command => tell(command, answersMs);
}

/** It reads nothing before systemd has started it, and of what is sent until then some is lost: each line begins with Ctrl-C. */
async function firstAnswer(socket: Socket, heard: () => string): Promise<void> {
	const answers = () => {
		if (!socket.destroyed) socket.write('\x03\necho here-$((40+2))\n');
		return socket.destroyed || /^here-42/m.test(heard());
	};
	await waitFor('the shell of the appliance', answers, { timeoutMs: 600_000, everyMs: 2_000 });
	if (socket.destroyed) throw new Error('QEMU ended before the appliance had a shell');
}
