import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { SupervisorClient } from '../../../supervisor/client.ts';
import { type Session, withSession } from '../../recover/session.ts';
import type { Context } from '../../terminal/command.ts';
import { buildGuest } from '../backups.ts';
import { cleanUp } from '../clean-up.ts';
import type { DemoOptions } from '../run-demo.ts';
import { importNoise } from './backups.ts';
import { groupText, groupTimes } from './groups.ts';
import { verifyGuest } from './guest.ts';
import { type DemoHosts, joinSimulated, makeHome } from './hosts.ts';
import { placesTaken } from './places-taken.ts';
import { type BatchDemoReport, placesText } from './report.ts';
import { hostNames, realMachine, simulatedMachines, simulatedPlaces, siteFile, siteGroups } from './site.ts';
import { SiteTable } from './site-table.ts';
import { throwAway } from './throw-away.ts';
import { untilReady } from './until-ready.ts';

/** Small: what it is for is to boot and to answer. */
const guestDiskMiB = 128;
const anything = z.looseObject({});

/** A site of which one machine runs comes back in order, every claim checked; throws at the first that does not hold. */
export async function runBatchDemo(options: DemoOptions, context: Context): Promise<BatchDemoReport> {
	const { directory, signal, say } = options;
	const startedAt = performance.now();
	const { installation, rouse } = await makeHome(directory, signal);
	try {
		say(`a site of ${simulatedMachines.length + 1} machines is backed up; one of them is a real guest`);
		await backUp(options, rouse);
		say('an installation comes up with its own host; another home on this machine becomes its second one');
		await rouse.run(anything, 'up', '--detach');
		const { accelerator } = await SupervisorClient.of(installation).host({ signal });
		say(`  ${hostNames.real}: QEMU (${accelerator})`);
		const simulated = await joinSimulated(directory, rouse, signal);
		say(`  ${hostNames.simulated}: runs nothing, has disks and copies, and ${simulatedPlaces} places`);
		try {
			const hosts = { installation, rouse, simulated };
			const own = { ...context, env: { ...context.env, ROUSE_HOME: installation.home } };
			const measured = await withSession(own, session => bringBack(options, { hosts, session, context }));
			return { accelerator, ...measured, durationMs: Math.round(performance.now() - startedAt) };
		} finally {
			await cleanUp(simulated);
		}
	} finally {
		await cleanUp(installation);
	}
}

async function backUp({ directory, signal, say }: DemoOptions, rouse: DemoHosts['rouse']): Promise<void> {
	const image = join(directory, 'original.raw');
	await buildGuest(image, { say: line => say(`  ${line}`), signal, diskMiB: guestDiskMiB, payloadMiB: 0 });
	const spec = join(directory, 'machine.yaml');
	await writeFile(spec, 'cpus: 1\nmemoryMiB: 256\nfirmware: bios\nos: linux\n');
	await rouse.run(anything, 'backup', 'import', image, '--machine', realMachine, '--spec', spec);
	await importNoise(simulatedMachines, { repository: join(directory, 'repository'), spec, scratch: directory, signal });
}

interface Site {
	hosts: DemoHosts;
	session: Session;
	context: Context;
}

async function bringBack(
	{ directory, signal, say }: DemoOptions,
	{ hosts, session, context }: Site,
): Promise<Omit<BatchDemoReport, 'accelerator' | 'durationMs'>> {
	say('all are gone; the site is to come back by one file:');
	for (const line of siteFile.trimEnd().split('\n')) say(`  ${line}`);
	const file = join(directory, 'site.yaml');
	await writeFile(file, siteFile);
	await hosts.rouse.run(anything, 'batch', 'start', file);
	const table = new SiteTable(context.output.live(), say);
	const { document, waited, kill } = await untilReady(session, { hosts, table, signal });

	const names = siteGroups.map(({ name }) => name);
	const groups = groupTimes(names, document.items, document.startedAt);
	say('everything is ready; the groups, out of the history of the batch:');
	for (const group of groups) say(`  ${groupText(group)}`);
	const places = await placesTaken(session, document.items);
	say('the places of the hosts, out of the audits of all recoveries:');
	for (const host of places) say(`  ${placesText(host)}`);

	say(`the guest of ${realMachine} writes, and verifies what it wrote`);
	const real = document.items.find(({ machine }) => machine === realMachine)?.name ?? '';
	const guestVerified = await verifyGuest(SupervisorClient.of(hosts.installation), real, signal);
	say(`  ${guestVerified} files right, none wrong`);

	say('all is thrown away: what is not finished by the batch, finished machines on their host');
	const thrown = await throwAway(session, hosts, signal);
	say(
		`  ${thrown.discarded} discarded, ${thrown.removed} removed; no process and no file of them is left, and no lease`,
	);
	return { simulatedMachines: simulatedMachines.length, groups, waited, kill, places, guestVerified, ...thrown };
}
