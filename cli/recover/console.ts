import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { SupervisorClient } from '../../supervisor/client.ts';
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
			const supervisor = await openSupervisor(context);
			if (!context.output.json) return talkTo(await open(supervisor, name, context.signal), name, context);
			const { platform, power } = await supervisor.recovery(name, { signal: context.signal });
			const { consoleSocket = null, vncSocket = null } = platform;
			context.output.result({ name, power, consoleSocket, vncSocket }, '');
		});

async function open(supervisor: SupervisorClient, name: string, signal: AbortSignal): Promise<Duplex> {
	try {
		return await supervisor.console(name, 'serial', signal);
	} catch (thrown) {
		const error = asRouseError(thrown);
		if (error.code !== 'phase_wrong') throw thrown;
		throw new RouseError(error.code, error.message, {
			cause: thrown,
			hint: `it is there while the machine is on: rouse recover show ${name}, rouse host list`,
		});
	}
}

async function talkTo(stream: Duplex, name: string, { output, signal }: Context): Promise<void> {
	const { stdin, stdout } = process;
	if (stdin.isTTY) {
		output.message(`console of ${name}; Ctrl-] leaves it`);
		stdin.setRawMode(true);
	}
	const leave = () => stream.destroy();
	signal.addEventListener('abort', leave, { once: true });
	stdin.on('data', (keys: Buffer) => {
		if (stdin.isTTY && keys.includes(leaveKey)) leave();
		else stream.write(keys);
	});
	stream.pipe(stdout, { end: false });
	try {
		await once(stream, 'close');
	} finally {
		signal.removeEventListener('abort', leave);
		if (stdin.isTTY) stdin.setRawMode(false);
		stdin.pause();
	}
	if (stdin.isTTY) output.message('\r\nleft the console; the machine runs on');
}
