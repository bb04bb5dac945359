import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { boundLogs } from '../../system/bounded-log.ts';
import { places } from '../../system/installation.ts';

/** Of every machine and mover of this host, also of recoveries that cannot be read: theirs run as well. */
export async function boundLogsOf(home: string): Promise<void> {
	await boundLogs(places.repositoryMovers(home));
	const recoveries = places.recoveries(home);
	for (const name of await readdir(recoveries)) await boundLogs(join(recoveries, name));
}
