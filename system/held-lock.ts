import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { RouseError } from '../model/errors.ts';

/**
 * Does `work` while flock(1) holds `path` for us, waiting for whoever has it. The holder is a child that ends with our
 * end of its standard input: killed at any moment, we leave no lock behind.
 */
export async function whileLocked<T>(path: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
	const holder = spawn('flock', [path, 'sh', '-c', 'echo held; cat >/dev/null'], {
		stdio: ['pipe', 'pipe', 'ignore'],
		detached: true, // a Ctrl-C meant for us must not take the lock away
		...(signal ? { signal } : {}),
	});
	const failed = new Promise<never>((_, reject) => {
		holder.once('error', reject);
		holder.once('exit', code => reject(new RouseError('lock_held', `flock ${path} ended with exit code ${code}`)));
	});
	failed.catch(() => {}); // heard below while we wait; its end after the work is as it should be
	await Promise.race([once(holder.stdout, 'data'), failed]);
	try {
		return await work();
	} finally {
		holder.stdin.end();
	}
}
