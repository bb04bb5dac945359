import { spawn } from 'node:child_process';
import { RouseError } from '../model/errors.ts';

/**
 * Runs a program in the place of this one: same streams, its exit code. It has a process group of its own, so that a
 * Ctrl-C on the terminal reaches it once, through us, and a second one still ends us both.
 */
export async function runForeground(
	program: string,
	args: readonly string[],
	{ env, signal }: { env: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<number> {
	const child = spawn(program, args, { stdio: 'inherit', env, detached: true });
	const pass = () => {
		child.kill(
			signal.reason instanceof RouseError && signal.reason.details?.['signal'] === 'SIGINT' ? 'SIGINT' : 'SIGTERM',
		);
	};
	signal.addEventListener('abort', pass, { once: true });
	try {
		return await new Promise((resolve, reject) => {
			child.once('error', reject);
			child.once('exit', (code, by) => resolve(code ?? (by === 'SIGINT' ? 130 : by === 'SIGTERM' ? 143 : 1)));
		});
	} finally {
		signal.removeEventListener('abort', pass);
	}
}
