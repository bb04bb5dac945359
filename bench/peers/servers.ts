/** Programs that serve until they are ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { RouseError } from '../../model/errors.ts';
import { startError } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import type { Scope } from './scope.ts';

export interface Server {
	pid: number;
	said: () => string;
	/** Asks it to end, and waits until it has. */
	end: () => Promise<void>;
}

/** It has begun to serve when `ready`; it is ended with the scope. */
export async function startServer(
	scope: Scope,
	[program = '', ...args]: readonly string[],
	{ ready, env = process.env }: { ready: () => Promise<boolean>; env?: NodeJS.ProcessEnv },
): Promise<Server> {
	const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
	let said = '';
	for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (said = `${said}${text}`.slice(-4096)));
	const gone = Promise.withResolvers<void>();
	let problem: RouseError | undefined;
	child.once('close', () => gone.resolve());
	child.once('error', error => {
		problem = startError(program, error, 'rouse doctor');
		gone.resolve();
	});
	const end = async () => {
		stop(child, 'SIGTERM');
		const late = setTimeout(() => stop(child, 'SIGKILL'), 10_000);
		await gone.promise;
		clearTimeout(late);
	};
	scope.after(end);
	await waitFor(
		`${program} ${args[0] ?? ''} to serve`,
		async () => {
			if (problem) throw problem;
			if (child.exitCode !== null || child.signalCode !== null)
				throw new RouseError('tool_failed', `${program} ended: ${said}`);
			return await ready();
		},
		{ timeoutMs: 60_000, signal: scope.signal },
	);
	return { pid: child.pid ?? 0, said: () => said, end };
}

function stop(child: ChildProcess, signal: NodeJS.Signals): void {
	if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}

export async function listens(path: string): Promise<boolean> {
	const { promise, resolve } = Promise.withResolvers<boolean>();
	const probe = connect({ path });
	probe.once('connect', () => resolve(true));
	probe.once('error', () => resolve(false));
	const found = await promise;
	probe.destroy();
	return found;
}

export interface NbdServer extends Server {
	socket: string;
	exportName: string;
}

export async function startNbdkit(scope: Scope, file: string): Promise<NbdServer> {
	const socket = scope.path('k.sock');
	const argv = ['nbdkit', '--foreground', '--readonly', '--unix', socket, 'file', file];
	return { ...(await startServer(scope, argv, { ready: () => listens(socket) })), socket, exportName: '' };
}

/** As many connections as clients like, and else as it is when nobody says more. */
export async function startQemuNbd(scope: Scope, image: string): Promise<NbdServer> {
	const socket = scope.path('q.sock');
	const argv = ['qemu-nbd', '--persistent', '--read-only', '--shared=0', '--format=qcow2', '--socket', socket, image];
	return { ...(await startServer(scope, argv, { ready: () => listens(socket) })), socket, exportName: '' };
}
