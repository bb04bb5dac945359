/** What keeps a host from being added that is the matter of this machine: told before anything is changed on Windows. */
import { stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { isBuilt, mustBeMaker } from '../../appliance/build.ts';
import { checkBuildTools, imageTools, seedTools } from '../../appliance/build-tools.ts';
import { connectTemporal } from '../../client/connection.ts';
import { servedAnswers } from '../../keeper/served-answers.ts';
import { servedBy } from '../../keeper/served-services.ts';
import type { WantedHost } from '../../hypervisors/hyperv/host-setup/record.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { type Installation, loadConfig } from '../../system/installation.ts';
import type { PlannedAccess } from './given.ts';

/** Throws `precheck_failed` with all of them. */
export function refuseLocally(problems: readonly string[]): void {
	if (problems.length === 0) return;
	throw new RouseError('precheck_failed', `this machine is not ready for it: ${problems.join('; ')}`, {
		hint: 'nothing was changed on the host: mend it, and give the command again',
	});
}

/** Of what the host is told: names, which its appliance asks of nobody but these name servers, whatever DHCP says. */
export function nameProblems(
	{ nameServers }: Pick<WantedHost, 'nameServers'>,
	{ temporal, repository }: Pick<PlannedAccess, 'temporal' | 'repository'>,
): string[] {
	if (nameServers.length > 0) return [];
	const hosts = [temporal.address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'), repository.host];
	const names = [...new Set(hosts)].filter(host => isIP(host) === 0);
	if (names.length === 0) return [];
	return [
		`the appliance cannot look up ${names.join(' and ')}: give --name-server, or write an address into config.yaml`,
	];
}

/** Of what the host is told: that nothing answers there. */
export async function servedProblems(
	installation: Installation,
	{ to, repository }: Pick<PlannedAccess, 'to' | 'repository'>,
): Promise<string[]> {
	const config = await loadConfig(installation);
	const told = [`serve.repositories.${repository.name}`, ...(to.includes('temporal') ? ['serve.temporal'] : [])];
	const looks = servedBy(installation, config)
		.filter(({ key }) => told.includes(key))
		.map(async ({ key, host, port }) =>
			(await servedAnswers(installation.home, { host, port })) ? [] : [`${key} (${host}, port ${port})`],
		);
	const silent = (await Promise.all(looks)).flat();
	return [
		...(await temporalProblems(installation)),
		...(silent.length === 0
			? []
			: [`nothing of this installation answers for ${silent.join(' and ')}: rouse down, then rouse up --detach`]),
	];
}

/** Of the disks that are made here: of the appliance, where no file of it is given, and of its seed. */
export async function diskProblems(
	{ cacheDirectory }: Pick<Installation, 'cacheDirectory'>,
	appliance: string | undefined,
): Promise<string[]> {
	if (appliance !== undefined)
		return [
			...((await isFile(appliance)) ? [] : [`--appliance ${appliance} is no file that can be read`]),
			...(await problemIn(() => checkBuildTools(seedTools))),
		];
	const builds = !(await isBuilt({ cacheDirectory }));
	return [
		...(builds ? await problemIn(async () => mustBeMaker()) : []),
		...(await problemIn(() => checkBuildTools(builds ? imageTools : seedTools))),
	];
}

async function isFile(path: string): Promise<boolean> {
	return await stat(path).then(
		found => found.isFile(),
		() => false,
	);
}

async function problemIn(check: () => Promise<void>): Promise<string[]> {
	try {
		await check();
		return [];
	} catch (thrown) {
		if (!(thrown instanceof RouseError)) throw thrown;
		return [thrown.hint === undefined ? thrown.message : `${thrown.message}: ${thrown.hint}`];
	}
}

async function temporalProblems(installation: Installation): Promise<string[]> {
	try {
		await (await connectTemporal(installation)).close();
		return [];
	} catch (thrown) {
		const { code, message } = asRouseError(thrown);
		if (code !== 'temporal_unreachable') throw thrown;
		return [message];
	}
}
