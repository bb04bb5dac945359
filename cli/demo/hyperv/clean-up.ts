import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Installation } from '../../../system/installation.ts';
import { namesIn } from '../../../system/names-in.ts';
import { locksIn } from '../../../system/recovery-locks.ts';
import { endHolder } from '../../../system/spawn-locked.ts';

/**
 * What serves a volume to the host ends with its recovery. After a failure it would stay, and the file of it that is mounted could
 * not be removed.
 */
export async function endTargets({ runDirectory }: Pick<Installation, 'runDirectory'>): Promise<void> {
	for (const recovery of await namesIn(runDirectory)) {
		const directory = join(runDirectory, recovery, 'iscsi');
		for (const path of await locksIn(directory)) await endHolder(path);
		if ((await namesIn(directory)).includes('disk'))
			await promisify(execFile)('umount', ['--lazy', join(directory, 'disk')]);
	}
}
