/**
 * Stands for `powershell.exe` behind the simulated host's SSH server. It keeps what the bootstrap promises (driver/bootstrap.ts)
 * without running any of it: takes our command lines alone, reads the script by its length, compares it byte for byte with
 * the file it must be, and greets. A session of the driver is then a connection to the simulator's Unix socket, one of
 * `console.ps1` a connection to the Unix socket that stands for the pipe.
 *
 * `node powershell.ts DRIVER-SOCKET PIPES-DIRECTORY`, with the command line that was asked for in SSH_ORIGINAL_COMMAND.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { resolve } from 'node:path';
import * as z from 'zod';
import {
	bootstrapCommand,
	type ConstantScript,
	greetingOf,
	loadConsoleScript,
	loadDriverScript,
	wrongScriptExitCode,
} from '../../driver/bootstrap.ts';

/** What cmd.exe ends with when it finds no such program. */
const unknownCommand = 1;

const requestSchema = z.strictObject({ pipe: z.string() });

const [driverSocket, pipesDirectory] = process.argv.slice(2);
if (driverSocket === undefined || pipesDirectory === undefined) throw new Error('usage: powershell.ts DRIVER PIPES');
const asked = process.env['SSH_ORIGINAL_COMMAND'] ?? '';
const [driver, console] = [await loadDriverScript(), await loadConsoleScript()];
if (asked === bootstrapCommand(driver)) await answer(driverSocket, driver);
else if (asked === bootstrapCommand(console)) await open(pipesDirectory, console);
else end(unknownCommand, `'${asked.slice(0, 100)}' is not recognized as an internal or external command`);

async function answer(socketPath: string, script: ConstantScript): Promise<void> {
	if (!(await takeScript(script))) return;
	const socket = connect(socketPath);
	socket.once('error', error => end(1, `the simulator does not answer: ${error.message}`));
	await join(socket);
}

async function open(directory: string, script: ConstantScript): Promise<void> {
	if (!(await takeScript(script))) return;
	const { pipe } = requestSchema.parse(JSON.parse(await takeLine()));
	const socket = connect(resolve(directory, pipe.slice(pipe.lastIndexOf('\\') + 1)));
	try {
		await once(socket, 'connect');
	} catch {
		// TimeoutException of NamedPipeClientStream.Connect: COR_E_TIMEOUT.
		process.stdout.write('{"ok":false,"hresult":"0x80131505"}\r\n');
		return end(0);
	}
	process.stdout.write('{"ok":true}\r\n');
	await join(socket);
	return undefined;
}

async function takeScript(script: ConstantScript): Promise<boolean> {
	const arrived = await take(script.text.length);
	const right = arrived.toString('latin1') === script.text;
	if (right) process.stdout.write(`${greetingOf(script)}\r\n`);
	else end(wrongScriptExitCode, `rouse: ${arrived.length} of ${script.text.length} characters came, or others`);
	return right;
}

/** Both directions, until the other side ends. */
async function join(socket: Socket): Promise<void> {
	process.stdin.pipe(socket);
	socket.pipe(process.stdout);
	await once(socket, 'close');
	process.stdin.destroy(); // else it would wait for more, which nobody can answer
}

async function takeLine(): Promise<string> {
	let line = '';
	for (let byte = await take(1); byte.length > 0 && byte[0] !== 0x0a; byte = await take(1))
		line += byte.toString('latin1');
	return line;
}

/** So many bytes of stdin, or fewer when it ends; what follows stays in it. */
async function take(length: number): Promise<Buffer> {
	const parts: Buffer[] = [];
	let missing = length;
	while (missing > 0) {
		const part = next(missing);
		if (part !== null) {
			parts.push(part);
			missing -= part.length;
		} else if (process.stdin.readableEnded) break;
		else await Promise.race([once(process.stdin, 'readable'), once(process.stdin, 'end')]);
	}
	return Buffer.concat(parts);
}

function next(missing: number): Buffer | null {
	const whole: unknown = process.stdin.read();
	if (!Buffer.isBuffer(whole)) return null;
	if (whole.length > missing) process.stdin.unshift(whole.subarray(missing));
	return whole.subarray(0, missing);
}

function end(code: number, message?: string): void {
	if (message !== undefined) process.stderr.write(`${message}\n`);
	process.exitCode = code;
	process.stdin.destroy();
}
