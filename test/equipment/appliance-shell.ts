/** A root shell in the booted appliance, on its second serial port: the image has none, so the kernel is told of it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { exists } from '../../system/if-there.ts';
import { waitFor } from '../../system/wait.ts';

/** Of the kernel's command line: systemd-debug-generator(8). */
export const shellOption = 'systemd.debug_shell=ttyS1';

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
