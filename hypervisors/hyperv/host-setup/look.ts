import { RouseError } from '../../../model/errors.ts';
import type { CallOptions } from '../../contract.ts';
import type { Driver } from '../driver/driver.ts';
import { driverUses } from '../driver/driver-uses.ts';
import { firstProblemsOf, type HostFacts } from './judge.ts';
import { setupNames } from './names.ts';
import type { HostRecord, WantedHost } from './record.ts';

/** Throws `precheck_failed` for a host of which nothing can be asked. Changes nothing. */
export async function lookAtHost(
	driver: Driver,
	wanted: Pick<WantedHost, 'name' | 'user' | 'datastore'>,
	{ setupId }: Pick<HostRecord, 'setupId'>,
	options: CallOptions,
): Promise<HostFacts> {
	const hello = await driver.ask('hello', {}, options);
	const cmdletsUsed = Object.fromEntries(
		Object.entries(driverUses).map(([name, parameters]) => [name, [...parameters]]),
	);
	const cmdlets = await driver.ask('check-cmdlets', { cmdlets: cmdletsUsed }, options);
	refuse(hello.computerName, firstProblemsOf(wanted.user, { hello, cmdlets }));
	const survey = await surveyHost(driver, wanted, { setupId }, options);
	const report = await driver.ask('report', { datastore: wanted.datastore }, options);
	return { survey, report };
}

/** Changes nothing. */
export async function surveyHost(
	driver: Driver,
	wanted: Pick<WantedHost, 'name' | 'datastore'>,
	{ setupId }: Pick<HostRecord, 'setupId'>,
	options: CallOptions,
): Promise<HostFacts['survey']> {
	const { directory } = setupNames(wanted);
	return await driver.ask('survey', { setupId, datastore: wanted.datastore, directory }, options);
}

/** Throws `precheck_failed` with all of them. */
export function refuse(host: string, problems: readonly string[]): void {
	const [first] = problems;
	if (first === undefined) return;
	throw new RouseError('precheck_failed', `${host} is not as it must be: ${problems.join('; ')}`, {
		hint: 'nothing was changed there; see docs/hyperv.md, "Requirements"',
	});
}
