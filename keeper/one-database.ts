import { join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { exists } from '../system/if-there.ts';
import { type Config, places, type TemporalDatabase } from '../system/installation.ts';

/** What the server of an installation keeps its histories in; of no meaning when it is elsewhere. */
export function databaseOf({ temporal }: Pick<Config, 'temporal'>): TemporalDatabase {
	return temporal.database ?? 'embedded';
}

const whereOf: Record<TemporalDatabase, (home: string) => string> = {
	embedded: home => join(places.temporal(home), 'temporal.db'),
	postgres: places.postgres,
};

/**
 * Histories are not moved from one database to the other: with an empty one, every recovery that is open would stand still
 * where it is, and look as if there was none. Throws `precheck_failed` when there is another one than that.
 */
export async function mustHaveNoOther(home: string, wanted: TemporalDatabase): Promise<void> {
	const other = wanted === 'postgres' ? 'embedded' : 'postgres';
	const where = whereOf[other](home);
	if (!(await exists(where))) return;
	// The last of what was acknowledged may lie in the log beside the file alone: https://www.sqlite.org/wal.html
	const all = other === 'embedded' ? `${where}, -wal and -shm beside it included,` : where;
	throw new RouseError(
		'precheck_failed',
		`this installation has its histories in ${where} (${other}); with ${wanted} it would begin without any: they are not moved`,
		{
			hint: `stay with it: rouse up --temporal ${other}. Else, when no recovery is open (rouse recover list): rouse down, and put ${all} aside; or take another ROUSE_HOME`,
		},
	);
}
