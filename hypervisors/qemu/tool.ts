import { spawn } from 'node:child_process';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';

export interface ToolResult {
	/** Exit code; undefined when a signal ended it. */
	code: number | undefined;
	stdout: string;
	stderr: string;
}

export interface ToolOptions {
	/** How long it may say nothing; for ever by default. */
	silenceMs?: number;
	/** Kills it; the call ends, with the signal's reason, when the program has. */
	signal?: AbortSignal | undefined;
}

/** Our tools print a page at most. */
const maxOutputBytes = 4 * 1024 * 1024;

/**
 * Runs a program to its end and gives what it said, in English, whatever its exit code. Throws `tool_missing` when it is
 * not installed, and `timeout`, after killing it, when it neither ended nor said anything for `silenceMs`.
 */
export function runTool(
	command: string,
	args: readonly string[],
	{ silenceMs, signal }: ToolOptions,
): Promise<ToolResult> {
	signal?.throwIfAborted();
	return new Promise((resolve, reject) => {
		// Errors are told apart by what programs say.
		const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
		const output = { stdout: '', stderr: '' };
		let ended: unknown;
		const end = (why: unknown) => {
			ended ??= why;
			child.kill('SIGKILL');
		};
		const abort = () => end(signal?.reason);
		signal?.addEventListener('abort', abort, { once: true });
		const silence = () => end(new RouseError('timeout', `${command} ${args[0]}: nothing heard for ${silenceMs} ms`));
		const timer = silenceMs === undefined ? undefined : setTimeout(silence, silenceMs);
		const settle = () => {
			clearTimeout(timer);
			signal?.removeEventListener('abort', abort);
		};
		for (const name of ['stdout', 'stderr'] as const)
			child[name].setEncoding('utf8').on('data', (text: string) => {
				timer?.refresh();
				if (output[name].length < maxOutputBytes) output[name] += text;
			});
		child.once('error', cause => {
			settle();
			reject(startError(command, cause));
		});
		child.once('close', code => {
			settle();
			if (ended !== undefined) reject(ended);
			else resolve({ code: code ?? undefined, ...output });
		});
	});
}

function startError(command: string, cause: Error): RouseError {
	if (isErrno(cause, 'ENOENT'))
		return new RouseError('tool_missing', `${command} is not installed`, {
			cause,
			hint: `apt-get install ${packagesOf[command] ?? 'qemu-system-x86 qemu-utils ovmf'}`,
		});
	return new RouseError('hypervisor_failed', `${command} could not be started: ${cause.message}`, { cause });
}

const packagesOf: Readonly<Record<string, string>> = { fallocate: 'util-linux', flock: 'util-linux' };
