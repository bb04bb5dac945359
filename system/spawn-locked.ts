import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { RouseError } from '../model/errors.ts';
import { lockHolder, signalHolder } from './process-lock.ts';
import { waitFor } from './wait.ts';

/** What is run, and where. */
export interface Program {
	command: string;
	args: readonly string[];
	cwd?: string | undefined;
}

export interface LockedProgram extends Program {
	/** Held from before the program starts until it has ended. */
	lockPath: string;
	/** Standard output and error are appended here. */
	logPath: string;
	env?: NodeJS.ProcessEnv | undefined;
}

/** Exit code of flock(1) for "somebody holds it": no program we start ends with it. */
const lockHeldExit = 75;

/**
 * Starts a program that outlives this process and holds its lock. When the lock is taken nothing is started and this
 * counts as success: somebody else started it. Resolves once the lock is held; throws `machine_failed`, with the end of
 * the log, when the program ended before that or could not be started.
 */
export async function spawnLocked(program: LockedProgram, { timeoutMs = 10_000 } = {}): Promise<{ started: boolean }> {
	if (await lockHolder(program.lockPath)) return { started: false };
	const log = await open(program.logPath, 'a', 0o600);
	let exit: string | undefined;
	let refused = false;
	try {
		// -F: flock becomes the program instead of waiting for it, so that the holder's pid is the program's pid.
		const child = spawn(
			'flock',
			['-n', '-F', '-E', String(lockHeldExit), program.lockPath, program.command, ...program.args],
			{
				detached: true,
				stdio: ['ignore', log.fd, log.fd],
				...(program.env ? { env: program.env } : {}),
				...(program.cwd ? { cwd: program.cwd } : {}),
			},
		);
		child.once('exit', (code, signal) => {
			refused = code === lockHeldExit;
			exit = signal ?? `exit code ${code}`;
		});
		child.once('error', error => {
			exit = error.message;
		});
		child.unref();
	} finally {
		await log.close();
	}
	await waitFor(
		`${program.command} to hold ${program.lockPath}`,
		async () => {
			if (refused) return true;
			if (exit !== undefined)
				throw new RouseError('machine_failed', `${program.command} ended at once (${exit}); see ${program.logPath}`);
			return (await lockHolder(program.lockPath)) !== undefined;
		},
		{ timeoutMs, everyMs: 5 },
	);
	return { started: !refused };
}

/**
 * Ends whoever holds the lock, politely first when asked to, and returns when the lock is free. False when it is still
 * held after SIGKILL and `killTimeoutMs`: a process that cannot be killed (stuck in the kernel).
 */
export async function endHolder(
	lockPath: string,
	{
		politeMs = 0,
		politely = 'SIGTERM',
		killTimeoutMs = 5_000,
	}: { politeMs?: number; politely?: NodeJS.Signals; killTimeoutMs?: number } = {},
): Promise<boolean> {
	const free = async () => (await lockHolder(lockPath)) === undefined;
	if (politeMs > 0 && (await signalHolder(lockPath, politely))) {
		if (await within(politeMs, free)) return true;
	}
	const deadline = performance.now() + killTimeoutMs;
	while (performance.now() < deadline) {
		await signalHolder(lockPath, 'SIGKILL'); // each time: a stopped process or a successor needs its own
		if (await within(100, free)) return true;
	}
	return free();
}

async function within(timeoutMs: number, look: () => Promise<boolean>): Promise<boolean> {
	try {
		return await waitFor('lock to be free', look, { timeoutMs, everyMs: 5 });
	} catch (error) {
		if (error instanceof RouseError && error.code === 'timeout') return false;
		throw error;
	}
}
