import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { promisify } from 'node:util';
import { waitFor } from '../../system/wait.ts';

const run = promisify(execFile);

/** nbdkit serves one file under every export name, and refuses all reads while the file `trouble` is there. */
export async function refusingMover(socket: string, file: string, trouble: string): Promise<ChildProcess> {
	const child = spawn(
		'nbdkit',
		['-f', '-r', '-U', socket, '--filter=error', 'file', file, 'error-pread=EIO', 'error-pread-rate=100%'].concat(
			`error-pread-file=${trouble}`,
		),
		{ stdio: 'inherit' },
	);
	await waitFor(
		'nbdkit',
		() => run('nbdinfo', ['--size', `nbd+unix:///?socket=${socket}`]).then(Boolean, () => false),
		{
			timeoutMs: 10_000,
		},
	);
	await chmod(socket, 0o666); // a mount mover gives it to the machine's user
	return child;
}
