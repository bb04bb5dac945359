import { RouseError } from '../../../model/errors.ts';
import type { CallOptions } from '../../contract.ts';
import type { Driver } from '../driver/driver.ts';
import { driverUses } from '../driver/driver-uses.ts';
import { firstProblemsOf, type HostFacts } from './judge.ts';
import type { HostRecord, WantedHost } from './record.ts';

/** Throws `precheck_failed` for a host of which nothing can be asked. Changes nothing. */
export async function lookAtHost(
	driver: Driver,
	{ user, datastore }: Pick<WantedHost, 'user' | 'datastore'>,
	{ setupId }: Pick<HostRecord, 'setupId'>,
	options: CallOptions,
): Promise<HostFacts> {
	const hello = await driver.ask('hello', {}, options);
	const wanted = Object.fromEntries(Object.entries(driverUses).map(([name, parameters]) => [name, [...parameters]]));
	const cmdlets = await driver.ask('check-cmdlets', { cmdlets: wanted }, options);
	refuse(hello.computerName, firstProblemsOf(user, { hello, cmdlets }));
	const survey = await driver.ask('survey', { setupId, datastore }, options);
	const report = await driver.ask('report', { datastore }, options);
	return { survey, report };
}

/** Throws `precheck_failed` with all of them. */
export function refuse(host: string, problems: readonly string[]): void {
	const [first] = problems;
	if (first === undefined) return;
	throw new RouseError('precheck_failed', `${host} is not as it must be: ${problems.join('; ')}`, {
		hint: 'nothing was changed there; see docs/hyperv.md, "Requirements"',
	});
}
