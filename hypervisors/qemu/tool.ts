import { spawn } from 'node:child_process';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';

export interface ToolResult {
	/** Exit code; undefined when a signal ended it. */
	code: number | undefined;
	stdout: string;
	stderr: string;
}

/** Our tools print a page at most. */
const maxOutputBytes = 4 * 1024 * 1024;

/**
 * Runs a program to its end and gives what it said, whatever its exit code. Throws `tool_missing` when it is not
 * installed, and `timeout`, after killing it, when it neither ended nor said anything for `silenceMs`.
 */
export function runTool(
	command: string,
	args: readonly string[],
	{ silenceMs }: { silenceMs: number },
): Promise<ToolResult> {
	return new Promise((resolve, reject) => {
		const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
		const output = { stdout: '', stderr: '' };
		let silent = false;
		const timer = setTimeout(() => {
			silent = true;
			child.kill('SIGKILL');
		}, silenceMs);
		for (const name of ['stdout', 'stderr'] as const)
			child[name].setEncoding('utf8').on('data', (text: string) => {
				timer.refresh();
				if (output[name].length < maxOutputBytes) output[name] += text;
			});
		child.once('error', cause => {
			clearTimeout(timer);
			reject(startError(command, cause));
		});
		child.once('close', code => {
			clearTimeout(timer);
			if (silent) reject(new RouseError('timeout', `${command} ${args[0]}: nothing heard for ${silenceMs} ms`));
			else resolve({ code: code ?? undefined, ...output });
		});
	});
}

function startError(command: string, cause: Error): RouseError {
	if (isErrno(cause, 'ENOENT'))
		return new RouseError('tool_missing', `${command} is not installed`, {
			cause,
			hint: 'apt-get install qemu-system-x86 qemu-utils ovmf',
		});
	return new RouseError('hypervisor_failed', `${command} could not be started: ${cause.message}`, { cause });
}
