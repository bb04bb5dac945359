import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RouseError } from '../../../model/errors.ts';
import { replaceFileDurably, syncDirectory } from '../../../system/durable-file.ts';
import { whileLocked } from '../../../system/held-lock.ts';
import { withHost } from './add.ts';
import { options, removeSeed } from './add-steps.ts';
import { machinesInTheWay } from './judge.ts';
import { surveyHost } from './look.ts';
import { knownHostLine } from './names.ts';
import { hostFiles, type HostRecord, readHostRecord } from './record.ts';
import { runSteps, type SetupParts, type Step, Work } from './work.ts';

/** The other way round than it was made: what needs something goes before it. */
export const removeSteps: readonly Step[] = [
	{ name: 'seed', text: () => 'the seed disk', run: removeSeed },
	{
		name: 'machine',
		text: ({ wanted: { name } }) => `machine rouse-${name} with its disk`,
		run: async work => {
			const { setupId, before, wanted, parts } = work.record;
			const { disk, directory } = work.names;
			const datastore = before.datastoreThere ? null : wanted.datastore;
			const files = [disk, ...parts.filter(part => part.startsWith(disk))];
			await work.driver.ask('remove-appliance', { setupId, files, directory, datastore }, options(work));
		},
	},
	{
		name: 'key',
		text: () => "the appliance's key among those of administrators",
		run: async work => {
			await work.driver.ask('remove-key', { setupId: work.record.setupId }, options(work));
		},
	},
	{
		name: 'initiator',
		text: ({ before: { initiator } }) =>
			`MSiSCSI as it was: ${initiator.startType}${initiator.running ? ', running' : ''}`,
		run: async work => {
			const { setupId, before } = work.record;
			await work.driver.ask('set-initiator', { setupId, ...before.initiator }, options(work));
		},
	},
	{
		name: 'network',
		text: ({ wanted: { name } }) =>
			`internal switch rouse-${name}, the host's address there, and the rule of the firewall`,
		run: async work => {
			await work.driver.ask('remove-network', { setupId: work.record.setupId }, options(work));
		},
	},
	{
		name: 'access',
		text: ({ wanted: { name } }) => `the certificates of ${name}, and its name in config.yaml`,
		run: work => work.parts.withdraw(work.record),
	},
];

/** What of a host that was added is to be gone; `forget`: here alone, the host is gone for good. */
export interface Removal {
	dryRun: boolean;
	forget: boolean;
}

/**
 * Undoes all that adding it did. Throws `host_unknown` for one that was not added, and `phase_wrong` while machines there
 * need the appliance; then nothing was changed.
 */
export async function removeHost(parts: SetupParts, { dryRun, forget }: Removal): Promise<string[]> {
	const { directory, signal } = parts;
	const known = await mustBeAdded(directory);
	const work = async () => {
		const record = await mustBeAdded(directory);
		if (!forget) await removeThere(record, parts, dryRun);
		else if (!dryRun) await parts.withdraw(record);
		if (!dryRun) await forgetHost(directory);
		const steps = forget ? removeSteps.filter(({ name }) => name === 'access') : removeSteps;
		return steps.map(({ text }) => text(known));
	};
	return dryRun ? await work() : await whileLocked(`${directory}.lock`, work, signal);
}

async function mustBeAdded(directory: string): Promise<HostRecord> {
	const record = await readHostRecord(directory);
	if (record) return record;
	throw new RouseError('host_unknown', `no host was added here of which ${directory} would know`, {
		hint: 'give the name that it was added by',
	});
}

async function removeThere(record: HostRecord, parts: SetupParts, dryRun: boolean): Promise<void> {
	const { wanted } = record;
	const { knownHosts } = hostFiles(parts.directory);
	// Gone after a removal that was cut off at its end.
	await replaceFileDurably(knownHosts, `${knownHostLine(wanted.host, wanted.port, record.hostKey)}\n`);
	await withHost(wanted, parts, knownHosts, async (driver, destination) => {
		const survey = await surveyHost(driver, wanted, record, parts);
		const machines = machinesInTheWay(survey);
		if (machines.length > 0)
			throw new RouseError('phase_wrong', `machines on ${wanted.name} need its appliance: ${machines.join(', ')}`, {
				hint: 'finish or discard their recoveries; one that is its owner’s own business loses its mark when the line "rouse-recovery: …" is taken out of its notes',
			});
		if (dryRun) return;
		const work = new Work(parts, { driver, destination, record });
		await work.note({ phase: 'removing' });
		await runSteps(removeSteps, work);
	});
}

/** The record last: without it nobody would know of the rest. */
async function forgetHost(directory: string): Promise<void> {
	const { record, knownHosts, key, access, seed } = hostFiles(directory);
	for (const path of [seed, access, key, `${key}.pub`, knownHosts, record])
		await rm(path, { recursive: true, force: true });
	await rm(directory, { recursive: true, force: true });
	await syncDirectory(dirname(directory));
}
