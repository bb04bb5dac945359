import { join } from 'node:path';
import { runTool } from '../../../system/run-tool.ts';
import type { DrillCheck } from '../../../model/drill.ts';
import type { Tried } from './tried.ts';

/**
 * Runs a command in the guest by the system's own `ssh`. Who answers is not looked at: the machine is a copy that nobody else
 * reaches, behind a port that this host forwards to it, and it is thrown away.
 */
export async function overSsh(
	{ address, port, user, command }: Extract<DrillCheck, { by: 'ssh' }>,
	{ keyDirectory, withinMs, signal }: { keyDirectory: string; withinMs: number; signal: AbortSignal },
): Promise<Tried> {
	const options = [
		'BatchMode=yes',
		'StrictHostKeyChecking=no',
		'UserKnownHostsFile=/dev/null',
		'IdentitiesOnly=yes',
		'ForwardAgent=no',
		`ConnectTimeout=${Math.max(1, Math.ceil(withinMs / 1_000))}`,
	].flatMap(option => ['-o', option]);
	const way = ['-F', 'none', '-q', '-T', '-i', join(keyDirectory, 'ssh-key'), '-p', String(port), '-l', user];
	const { code, tail } = await runTool('ssh', [...options, ...way, '--', address, command], {
		hint: 'apt-get install openssh-client',
		wholeMs: withinMs,
		signal,
		cwd: '/',
	});
	// ssh(1): 255 when ssh itself has failed.
	const why =
		code === 0 ? undefined : code === 255 ? `${address} port ${port} let nobody in` : `it ended with exit code ${code}`;
	return { why, output: tail.join('\n') };
}
