/**
 * Stands for `powershell.exe` behind the simulated host's SSH server. It keeps what the bootstrap promises (driver/bootstrap.ts)
 * without running any of it: takes our command lines alone, reads the script by its length, compares it byte for byte with
 * the file it must be, greets, and joins the rest of the session with the simulator's Unix socket.
 *
 * `node powershell.ts DRIVER-SOCKET CONSOLE-SOCKET DRIVES`, with the command line that was asked for in SSH_ORIGINAL_COMMAND.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import {
	bootstrapCommand,
	type ConstantScript,
	greetingOf,
	loadConsoleScript,
	loadDriverScript,
	wrongScriptExitCode,
} from '../../driver/bootstrap.ts';
import { sftpCommand } from './configuration.ts';
import { serveSftp } from './sftp.ts';

/** What cmd.exe ends with when it finds no such program. */
const unknownCommand = 1;

const [driverSocket, consoleSocket, root] = process.argv.slice(2);
if (driverSocket === undefined || consoleSocket === undefined || root === undefined)
	throw new Error('usage: powershell.ts DRIVER CONSOLE DRIVES');
const asked = process.env['SSH_ORIGINAL_COMMAND'] ?? '';
const programs = [
	{ script: await loadDriverScript(), socket: driverSocket },
	{ script: await loadConsoleScript(), socket: consoleSocket },
];
const program = programs.find(({ script }) => bootstrapCommand(script) === asked);
if (asked === sftpCommand) process.exitCode = await serveSftp(root);
else if (program) await run(program.script, program.socket);
else end(unknownCommand, `'${asked.slice(0, 100)}' is not recognized as an internal or external command`);

async function run(script: ConstantScript, socketPath: string): Promise<void> {
	const arrived = await take(script.text.length);
	if (arrived.toString('latin1') !== script.text)
		return end(wrongScriptExitCode, `rouse: ${arrived.length} of ${script.text.length} characters came, or others`);
	process.stdout.write(`${greetingOf(script)}\r\n`);
	const socket = connect(socketPath);
	socket.once('error', error => end(1, `the simulator does not answer: ${error.message}`));
	process.stdin.pipe(socket);
	socket.pipe(process.stdout);
	await once(socket, 'close');
	process.stdin.destroy(); // else it would wait for more requests, which nobody can answer
	return undefined;
}

/** So many bytes of stdin, or fewer when it ends; what follows stays in it. */
async function take(length: number): Promise<Buffer> {
	const parts: Buffer[] = [];
	let missing = length;
	while (missing > 0) {
		await Promise.race([once(process.stdin, 'readable'), once(process.stdin, 'end')]);
		for (let part = next(missing); part !== null; part = next(missing)) {
			parts.push(part);
			missing -= part.length;
		}
		if (process.stdin.readableEnded) break;
	}
	return Buffer.concat(parts);
}

function next(missing: number): Buffer | null {
	if (missing === 0) return null;
	const whole: unknown = process.stdin.read();
	if (!Buffer.isBuffer(whole)) return null;
	if (whole.length > missing) process.stdin.unshift(whole.subarray(missing));
	return whole.subarray(0, missing);
}

function end(code: number, message: string): void {
	process.stderr.write(`${message}\n`);
	process.exitCode = code;
	process.stdin.destroy();
}
