import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../../cli/program.ts';
import { cacheDirectory } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';

const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export interface Ended {
	exitCode: number | null;
	stdout: string;
	stderr: string;
}

export interface Running {
	child: ChildProcess;
	stdout: () => string;
	stderr: () => string;
	ended: Promise<Ended>;
}

/** Starts `rouse ARGUMENTS` as a process of its own, in the installation `home`; it ends with the test. */
export function startRouse(
	t: Pick<TestContext, 'after'>,
	home: string,
	args: readonly string[],
	env: NodeJS.ProcessEnv = {},
): Running {
	const child = spawn(process.execPath, [main, ...args], {
		stdio: ['ignore', 'pipe', 'pipe'],
		env: { ...process.env, ...ownPlace(home), ...env },
	});
	let stdout = '';
	let stderr = '';
	child.stdout.on('data', text => (stdout += text));
	child.stderr.on('data', text => (stderr += text));
	const ended = new Promise<Ended>((resolve, reject) => {
		child.once('error', reject);
		child.once('close', exitCode => resolve({ exitCode, stdout, stderr }));
	});
	t.after(async () => {
		child.kill('SIGKILL');
		await ended;
	});
	return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** Runs `rouse ARGUMENTS` to its end, in this process: starting Node takes longer than most commands. */
export async function rouse(home: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
	const written = { stdout: '', stderr: '' };
	const sink = (name: keyof typeof written) => ({ write: (text: string) => (written[name] += text) });
	const exitCode = await runProgram({
		argv: args,
		env: { ...process.env, ...ownPlace(home), ...env },
		stdout: sink('stdout'),
		stderr: sink('stderr'),
		signal: new AbortController().signal,
	});
	return { exitCode, ...written };
}

function ownPlace(home: string): NodeJS.ProcessEnv {
	return { ROUSE_HOME: home, ROUSE_REPO: '', NODE_COMPILE_CACHE: join(cacheDirectory(), 'compile') };
}

/** Waits until a running command has written a line that `pattern` matches to its standard output. */
export async function lineOf(command: Running, pattern: RegExp, timeoutMs = 30_000): Promise<string> {
	return await waitFor(
		`a line ${pattern}`,
		() => {
			if (command.child.exitCode !== null) throw new Error(`it ended: ${command.stderr()}`);
			return command
				.stdout()
				.split('\n')
				.find(line => pattern.test(line));
		},
		{ timeoutMs },
	);
}
