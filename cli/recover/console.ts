import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { RouseError } from '../../model/errors.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { openSupervisor } from './session.ts';

/** Ctrl-], as telnet has it: a guest hardly ever wants it. */
const leaveKey = 0x1d;

/** A machine's serial console; with the supervisor alone, so that it works when Temporal does not, and after the finish. */
export const buildConsole = (context: Context) =>
	command('console')
		.description("the machine's serial console; Ctrl-] leaves it. With --json: where the sockets are")
		.argument('<name>', 'recovery, or finished machine', parseName)
		.action(async name => {
			const { sockets, power } = await (await openSupervisor(context)).recovery(name, { signal: context.signal });
			if (context.output.json)
				return context.output.result({ name, power, consoleSocket: sockets.console, vncSocket: sockets.vnc }, '');
			await talkTo(sockets.console, name, context);
		});

async function talkTo(path: string, name: string, { output, signal }: Context): Promise<void> {
	const socket = await open(path, name);
	const { stdin, stdout } = process;
	if (stdin.isTTY) {
		output.message(`console of ${name}; Ctrl-] leaves it`);
		stdin.setRawMode(true);
	}
	const leave = () => socket.destroy();
	signal.addEventListener('abort', leave, { once: true });
	stdin.on('data', (keys: Buffer) => {
		if (stdin.isTTY && keys.includes(leaveKey)) leave();
		else socket.write(keys);
	});
	socket.pipe(stdout, { end: false });
	try {
		await once(socket, 'close');
	} finally {
		signal.removeEventListener('abort', leave);
		if (stdin.isTTY) stdin.setRawMode(false);
		stdin.pause();
	}
	if (stdin.isTTY) output.message('\r\nleft the console; the machine runs on');
}

async function open(path: string, name: string): Promise<Socket> {
	const socket = connect(path);
	try {
		await once(socket, 'connect');
	} catch (cause) {
		throw new RouseError('phase_wrong', `${name} has no console now: nobody listens on ${path}`, {
			cause,
			hint: `it is there while the machine is on: rouse recover show ${name}, rouse host list`,
		});
	}
	return socket;
}
