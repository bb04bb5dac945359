import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { RouseError } from '../../../model/errors.ts';
import { replaceFileDurably } from '../../../system/durable-file.ts';
import { whileLocked } from '../../../system/held-lock.ts';
import { connectDriver, type DriverSessions } from '../driver/sessions.ts';
import type { OperatorDestination } from '../../../system/ssh-destination.ts';
import { addSteps } from './add-steps.ts';
import { chooseHostKey, scanHostKeys } from './host-keys.ts';
import { chooseNetwork, type HostFacts, problemsOf, warningsOf } from './judge.ts';
import { lookAtHost, refuse } from './look.ts';
import { knownHostLine } from './names.ts';
import { hostFiles, type HostRecord, readHostRecord, type WantedHost, writeHostRecord } from './record.ts';
import { runSteps, type SetupParts, Work } from './work.ts';

/**
 * Makes a Windows host one of Rouse's, from nothing or from where an earlier try ended. False when it was one already:
 * then nothing is changed. Throws `name_conflict` for another set-up of this name, `identity_conflict` for another host
 * than the one that was added, `precheck_failed` with what is in the way.
 */
export async function addHost(wanted: WantedHost, parts: SetupParts): Promise<{ record: HostRecord; added: boolean }> {
	const { directory, signal } = parts;
	await mkdir(directory, { recursive: true, mode: 0o700 });
	return await whileLocked(
		`${directory}.lock`,
		async () => {
			const known = await readHostRecord(directory);
			if (known) mustBeSame(known, wanted);
			if (known?.phase !== 'ready') await parts.precheck(wanted, known);
			const { knownHosts } = hostFiles(directory);
			const hostKey = known?.hostKey ?? (await pinHostKey(wanted, parts));
			await replaceFileDurably(knownHosts, `${knownHostLine(wanted.host, wanted.port, hostKey)}\n`);
			return await withHost(wanted, parts, knownHosts, async (driver, destination) => {
				if (known?.phase === 'ready') return { record: await stillThere(known, driver, parts), added: false };
				const record = known ?? (await newRecord(wanted, hostKey, driver, parts));
				await writeHostRecord(directory, record);
				const work = new Work(parts, { driver, destination, record });
				await runSteps(addSteps, work);
				await work.note({ phase: 'ready' });
				return { record: work.record, added: true };
			});
		},
		signal,
	);
}

/** What `addHost` would do, and what is in its way: nothing is changed, here or there. */
export async function planHost(
	wanted: WantedHost,
	parts: SetupParts,
): Promise<{ record: HostRecord; steps: string[] }> {
	const known = await readHostRecord(parts.directory);
	if (known) mustBeSame(known, wanted);
	if (known?.phase !== 'ready') await parts.precheck(wanted, known);
	const hostKey = known?.hostKey ?? (await pinHostKey(wanted, parts));
	const work = await mkdtemp(join(tmpdir(), 'rouse-plan-'));
	try {
		const knownHosts = join(work, 'known_hosts');
		await writeFile(knownHosts, `${knownHostLine(wanted.host, wanted.port, hostKey)}\n`);
		return await withHost(wanted, parts, knownHosts, async driver => {
			const record = known ?? (await newRecord(wanted, hostKey, driver, parts));
			return { record, steps: record.phase === 'ready' ? [] : addSteps.map(({ text }) => text(record)) };
		});
	} finally {
		await rm(work, { recursive: true, force: true });
	}
}

/** Its sessions are ended when `use` is. */
export async function withHost<T>(
	{ user, host, port }: Pick<WantedHost, 'user' | 'host' | 'port'>,
	{ identityPath }: Pick<SetupParts, 'identityPath'>,
	knownHostsPath: string,
	use: (driver: DriverSessions, destination: OperatorDestination) => Promise<T>,
): Promise<T> {
	const destination = { user, host, port, identityPath, knownHostsPath };
	const driver = await connectDriver(destination);
	try {
		return await use(driver, destination);
	} finally {
		await driver.close();
	}
}

function mustBeSame({ wanted: known, phase }: HostRecord, wanted: WantedHost): void {
	const { name } = wanted;
	if (phase === 'removing')
		throw new RouseError('name_conflict', `${name} is being removed`, {
			hint: `end that first: rouse host remove ${name} --confirm ${name}`,
		});
	if (isDeepStrictEqual(known, wanted)) return;
	throw new RouseError(
		'name_conflict',
		`${name} was added as ${known.user}@${known.host}:${known.port}, otherwise than now`,
		{
			hint: `give the options of that time, or remove it first: rouse host remove ${name} --confirm ${name}`,
			details: { datastore: known.datastore, switch: known.externalSwitch, address: known.address },
		},
	);
}

async function pinHostKey({ host, port }: WantedHost, parts: SetupParts): Promise<string> {
	const keys = await scanHostKeys(host, port, parts.signal);
	const { expectedHostKey: expected, confirmHostKey: confirm } = parts;
	return (await chooseHostKey(keys, { expected, confirm })).key;
}

async function newRecord(
	wanted: WantedHost,
	hostKey: string,
	driver: DriverSessions,
	parts: SetupParts,
): Promise<HostRecord> {
	const setupId = randomUUID();
	const facts = await lookAtHost(driver, wanted, { setupId }, parts);
	refuse(wanted.host, problemsOf(wanted, facts));
	for (const message of warningsOf(facts)) parts.tell({ type: 'warning', message });
	const network = chooseNetwork(facts.survey.addresses);
	if (network === undefined)
		throw new RouseError('precheck_failed', `${wanted.host} has addresses in each part of 172.31.255.0/24`, {
			hint: 'remove an internal switch that nobody needs',
		});
	return {
		version: 0,
		wanted,
		phase: 'adding',
		setupId,
		hostId: randomUUID(),
		renewal: randomBytes(32).toString('hex'),
		hostKey,
		network,
		macs: { internal: randomMac(), external: randomMac() },
		before: beforeOf(facts),
		parts: [],
		admitted: false,
		seedDigest: null,
		applianceId: null,
	};
}

/** Locally administered, of one adapter alone: IEEE 802, clause 8.4. */
function randomMac(): string {
	return `02:${randomBytes(5)
		.toString('hex')
		.replace(/..(?=.)/g, '$&:')}`;
}

function beforeOf({ survey }: HostFacts): HostRecord['before'] {
	const service = survey.services.find(({ name }) => name === 'MSiSCSI');
	const startType =
		service?.startType === 'Automatic' || service?.startType === 'Disabled' ? service.startType : 'Manual';
	return { datastoreThere: survey.datastoreThere, initiator: { startType, running: service?.running === true } };
}

/** Throws `machine_failed` where the appliance is gone: another one would know nothing of what this one runs. */
async function stillThere(known: HostRecord, driver: DriverSessions, parts: SetupParts): Promise<HostRecord> {
	const { survey } = await lookAtHost(driver, known.wanted, known, parts);
	if (survey.machines.some(({ ours }) => ours)) return known;
	const { name } = known.wanted;
	throw new RouseError('machine_failed', `${name} was added, and its appliance is gone`, {
		hint: `bring it back with its own disk, or remove the host and add it anew: rouse host remove ${name} --confirm ${name}`,
	});
}
