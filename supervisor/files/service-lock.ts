import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { places } from '../../system/installation.ts';
import { lockHolder } from '../../system/process-lock.ts';

/**
 * Throws `lock_held` unless this very process holds the supervisor's lock of this installation. Two supervisors would
 * each start what the other ends and write the same state; a second one by mistake must not do anything at all.
 */
export async function mustHoldServiceLock(home: string): Promise<void> {
	await mkdir(places.services(home), { recursive: true });
	const path = join(places.services(home), 'supervisor.lock');
	const holder = await lockHolder(path);
	if (holder?.pid === process.pid) return;
	throw new RouseError(
		'lock_held',
		holder
			? `a supervisor of ${home} runs already (pid ${holder.pid})`
			: `the supervisor was started without its lock ${path}`,
		{ hint: holder ? 'a host has one' : 'start it with: rouse up, or rouse supervisor' },
	);
}
