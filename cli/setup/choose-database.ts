import { databaseOf, mustHaveNoOther } from '../../keeper/one-database.ts';
import { serviceHolder } from '../../keeper/services.ts';
import { RouseError } from '../../model/errors.ts';
import { changeConfig } from '../../system/change-config.ts';
import { type Installation, loadConfig, type TemporalDatabase } from '../../system/installation.ts';

/** Writes into config.yaml where Temporal is to have its histories; nothing is written when it says so already. */
export async function chooseDatabase(installation: Installation, wanted: TemporalDatabase): Promise<void> {
	if (!(await wouldChange(installation, wanted))) return;
	await changeConfig(installation, document => document.setIn(['temporal', 'database'], wanted));
}

/**
 * Whether config.yaml says otherwise. Throws `precheck_failed` where that is decided otherwise: by histories that are there, by
 * services that run, by a server elsewhere.
 */
export async function wouldChange({ home }: Installation, wanted: TemporalDatabase): Promise<boolean> {
	const config = await loadConfig({ home });
	if (config.temporal.address !== undefined)
		throw new RouseError('precheck_failed', `Temporal is elsewhere (temporal.address ${config.temporal.address})`, {
			hint: 'leave --temporal out, or temporal.address out of config.yaml',
		});
	await mustHaveNoOther(home, wanted);
	if (databaseOf(config) === wanted) return false;
	if ((await serviceHolder(home, 'keeper')) ?? (await serviceHolder(home, 'temporal')))
		throw new RouseError('precheck_failed', `the services run with the ${databaseOf(config)} database`, {
			hint: 'rouse down, then again',
		});
	return true;
}
