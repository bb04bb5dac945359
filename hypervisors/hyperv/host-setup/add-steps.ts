/** What adding a host does, in this order. Each step finds its work done when it is done again. */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { RouseError } from '../../../model/errors.ts';
import { exists } from '../../../system/if-there.ts';
import { applianceMemoryMiB, applianceProcessors } from './judge.ts';
import { keyLine, knownHostLine, partOf } from './names.ts';
import { makeOwnKey } from './own-key.ts';
import { hostFiles } from './record.ts';
import { digestFile, sendFile } from './send-file.ts';
import type { SeedFacts, Step, Work } from './work.ts';

export const addSteps: readonly Step[] = [
	{
		name: 'network',
		text: ({ wanted: { name }, network: { hostAddress, prefixLength } }) =>
			`internal switch rouse-${name}, with ${hostAddress}/${prefixLength} for the host, and its firewall open there for SSH`,
		run: async work => {
			const { setupId, network, wanted } = work.record;
			const request = { setupId, name: work.names.machine, ...network, sshPort: wanted.port };
			await work.driver.ask('make-network', request, options(work));
		},
	},
	{
		name: 'initiator',
		text: () => 'MSiSCSI, the iSCSI initiator, started and starting with Windows',
		run: async work => {
			const { setupId } = work.record;
			await work.driver.ask('set-initiator', { setupId, startType: 'Automatic', running: true }, options(work));
		},
	},
	{
		name: 'key',
		text: ({ network: { applianceAddress } }) =>
			`the appliance's own key among those of administrators, from ${applianceAddress} alone`,
		run: async work => {
			const { key } = hostFiles(work.parts.directory);
			await makeOwnKey(key);
			const line = keyLine(await readFile(`${key}.pub`, 'utf8'), work.record);
			await work.driver.ask('put-key', { setupId: work.record.setupId, line }, options(work));
		},
	},
	{
		name: 'access',
		text: ({ wanted: { name } }) => `certificates with which ${name} reaches Temporal and the repository`,
		run: async work => {
			await work.parts.admit(work.record.hostId);
			await work.note({ admitted: true });
		},
	},
	{
		name: 'image',
		text: ({ wanted: { datastore } }) => `the appliance's disk into ${datastore}`,
		run: async work => {
			const { disk } = work.names;
			const { setupId } = work.record;
			const expected = await work.driver.ask(
				'expect-file',
				{ setupId, path: disk, part: `${disk}.part` },
				options(work),
			);
			if (!expected.whole) await send(work, disk, await work.parts.image());
		},
	},
	{
		name: 'machine',
		text: ({ wanted: { name, externalSwitch } }) =>
			`machine rouse-${name}: ${applianceMemoryMiB} MiB, four SCSI controllers, adapters at rouse-${name} and ${externalSwitch}`,
		run: async work => {
			const { setupId, macs, wanted } = work.record;
			const { machine, directory, disk } = work.names;
			const nics = [
				{ name: 'internal', mac: macs.internal, switchName: machine },
				{ name: 'external', mac: macs.external, switchName: wanted.externalSwitch },
			];
			const hardware = { memoryMiB: applianceMemoryMiB, processors: applianceProcessors, nics };
			const request = { setupId, name: machine, directory, disk, ...hardware };
			const { vmId } = await work.driver.ask('create-appliance', request, options(work));
			await work.note({ applianceId: vmId });
		},
	},
	{
		name: 'seed',
		text: () => 'seed disk: what the appliance is told at its first boot',
		run: putSeed,
	},
	{
		name: 'start',
		text: () => 'start of the appliance',
		run: async work => {
			const { setupId } = work.record;
			await work.driver.ask('start-appliance', { setupId, seed: work.names.seed }, options(work));
		},
	},
	{
		name: 'ready',
		text: () => 'the appliance comes to Temporal',
		run: work => work.parts.ready(work.record.hostId, work.parts.signal),
	},
	{
		name: 'seed-gone',
		text: () => 'the seed disk, which has private keys, is removed again',
		run: removeSeed,
	},
	{
		name: 'register',
		text: ({ wanted: { name }, hostId }) => `${name} in config.yaml, with the id ${hostId}`,
		run: work => work.parts.register(work.record.hostId),
	},
];

/**
 * One that says something else than it would say today – config.yaml was mended after a try that failed – is made anew, and
 * the appliance, which reads it as it boots, is turned off before.
 */
async function putSeed(work: Work): Promise<void> {
	const { parts, driver, names } = work;
	const { seed } = hostFiles(parts.directory);
	const text = await parts.seedText(await seedFacts(work));
	const seedDigest = createHash('sha256').update(text).digest('hex');
	if (work.record.seedDigest !== seedDigest) {
		const { setupId } = work.record;
		await driver.ask('stop-appliance', { setupId, files: [names.disk, names.seed] }, options(work));
		await removeSeed(work);
	}
	if (!(await exists(seed))) await parts.writeSeed(seed, text);
	await work.note({ seedDigest });
	await send(work, names.seed, seed);
}

export async function removeSeed(work: Work): Promise<void> {
	const { setupId, parts } = work.record;
	const { seed, directory } = work.names;
	const sent = parts.findLast(part => part.startsWith(`${seed}.`)) ?? `${seed}.part`;
	await work.driver.ask('remove-seed', { setupId, path: seed, part: sent, directory }, options(work));
	await rm(hostFiles(work.parts.directory).seed, { force: true });
}

export function options({ parts: { signal } }: Work): { signal: AbortSignal } {
	return { signal };
}

async function send(work: Work, path: string, localPath: string): Promise<void> {
	const { driver, destination, record, parts } = work;
	const digest = await digestFile(localPath);
	const part = partOf(path, digest.sha256);
	if (!record.parts.includes(part)) await work.note({ parts: [...record.parts, part] });
	const onProgress = (doneBytes: number, totalBytes: number) => parts.tell({ type: 'progress', doneBytes, totalBytes });
	const sending = { driver, destination, setupId: record.setupId, signal: parts.signal, onProgress };
	await sendFile(sending, { localPath, path, part, ...digest });
}

async function seedFacts({ record, parts }: Work): Promise<SeedFacts> {
	const { wanted, network, macs, hostId, renewal, applianceId } = record;
	if (applianceId === null) throw new RouseError('internal', 'a seed is made for an appliance that is not there');
	const { gateway, nameServers, address } = wanted;
	return {
		name: wanted.name,
		hostId,
		renewal,
		networks: [
			{ mac: macs.internal, address: `${network.applianceAddress}/${network.prefixLength}`, nameServers: [] },
			{ mac: macs.external, address, ...(gateway === undefined ? {} : { gateway }), nameServers },
		],
		windows: {
			host: network.hostAddress,
			port: wanted.port,
			user: wanted.user,
			key: await readFile(hostFiles(parts.directory).key, 'utf8'),
			hostKeys: [knownHostLine(network.hostAddress, wanted.port, record.hostKey)],
			datastore: wanted.datastore,
			appliance: applianceId,
			address: network.applianceAddress,
		},
	};
}
