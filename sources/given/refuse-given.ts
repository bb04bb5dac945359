import { RouseError } from '../../model/errors.ts';
import { isGsUri } from '../gce/address.ts';
import { isApplianceName } from '../ovf/file-names.ts';
import type { GivenDisks } from './given-disks.ts';

/** What can be refused before anything is opened. */
export function refuseGiven(given: GivenDisks): void {
	const appliance = given.sources.find(isApplianceName);
	if (appliance !== undefined) refuseBeside(appliance, given);
	else if (given.machine === undefined) throw missingName();
	if (given.credentialPath !== null && given.configuration === undefined && !given.sources.some(isGsUri))
		throw new RouseError('usage', '--credential lets in at gs:// and gce://, and none is named');
	if (given.spoolDirectory !== null && !given.sources.some(isGsUri))
		throw new RouseError('usage', '--spool keeps what is fetched from gs://, and none is named');
}

/** It is a machine, whose disks are what it says. */
function refuseBeside(appliance: string, { sources, format, withBacking, partial, configuration }: GivenDisks): void {
	if (sources.length > 1 || configuration !== undefined)
		throw new RouseError('usage', `${appliance} is a whole machine, and nothing else is imported with it`);
	const option = format !== undefined ? '--format' : withBacking ? '--with-backing' : partial ? '--partial' : undefined;
	if (option === undefined) return;
	throw new RouseError('usage', `${option} is for images, and ${appliance} is an appliance`, {
		hint: `unpack it, and import its disks with ${option}`,
	});
}

export function missingName(why?: string): RouseError {
	return new RouseError('usage', `--machine NAME is missing${why === undefined ? '' : `: ${why}`}`, {
		hint: 'rouse backup import --help shows what is accepted',
	});
}
