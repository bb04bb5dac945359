import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RouseError } from '../../../model/errors.ts';
import { syncDirectory } from '../../../system/durable-file.ts';
import { exists } from '../../../system/if-there.ts';
import { runTool } from '../../../system/run-tool.ts';

/** A key pair for one host alone, made once: the public half last, so that where it is the other is too. */
export async function makeOwnKey(path: string): Promise<void> {
	if (await exists(`${path}.pub`)) return;
	const making = `${path}.making`;
	for (const name of [making, `${making}.pub`]) await rm(name, { force: true });
	const { code, tail } = await runTool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', making], {
		hint: 'apt-get install openssh-client',
		wholeMs: 60_000,
	});
	if (code !== 0) throw new RouseError('tool_failed', `ssh-keygen ended with ${code}: ${tail.join(' ')}`);
	await rename(making, path);
	await rename(`${making}.pub`, `${path}.pub`);
	await syncDirectory(dirname(path));
}
