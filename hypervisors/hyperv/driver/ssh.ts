/** The OpenSSH client as the way to the Windows host: a program there, with its stdin and stdout. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { RouseError } from '../../../model/errors.ts';
import { startError } from '../../../system/run-tool.ts';
import { type OperatorDestination, sshArguments } from '../../../system/ssh-destination.ts';
import { sshFailure } from './ssh-failure.ts';

export interface RemoteProgram {
	readonly stdin: Writable;
	readonly stdout: Readable;
	/** Comes when the program or the way to it is gone, and says why; never rejects. */
	readonly ended: Promise<RouseError>;
	/** Its stdin ends, upon which it does; by force when it has not after `patienceMs`. */
	close(patienceMs?: number): Promise<void>;
}

/** What a session says on stderr is told when it ends: the last of it. */
const keptCharacters = 4000;

/** Starts `command` there. */
export function startRemote(destination: OperatorDestination, command: string): RemoteProgram {
	const child = spawn('ssh', [...sshArguments(destination), command], {
		stdio: ['pipe', 'pipe', 'pipe'],
		// Ctrl-C on a terminal goes to us alone.
		detached: true,
		env: { ...process.env, LC_ALL: 'C' },
	});
	let said = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		said = (said + text).slice(-keptCharacters);
	});
	// A broken pipe is told by `ended`, with the reason.
	for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => undefined);
	const ended = endOf(child, destination, () => said.trim());
	return { stdin: child.stdin, stdout: child.stdout, ended, close: patienceMs => close(child, ended, patienceMs) };
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

function endOf(child: Child, destination: OperatorDestination, said: () => string): Promise<RouseError> {
	return new Promise(resolve => {
		child.once('error', cause => resolve(startError('ssh', cause, 'apt-get install openssh-client')));
		child.once('close', (code, signal) => resolve(sshFailure(destination, { code, signal, said: said() })));
	});
}

async function close(child: Child, ended: Promise<RouseError>, patienceMs = 2000): Promise<void> {
	child.stdin.end();
	const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
	await ended;
	clearTimeout(timer);
}
