/** `rouse host add` of a Linux machine: from nothing, or from where an earlier try ended. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { chooseHostKey, mustHaveFingerprint, scanHostKeys } from '../../../hypervisors/hyperv/host-setup/host-keys.ts';
import { knownHostLine } from '../../../hypervisors/hyperv/host-setup/names.ts';
import { readHostRecord } from '../../../hypervisors/hyperv/host-setup/record.ts';
import { RouseError } from '../../../model/errors.ts';
import { mustBeNew } from '../../../repository/service/admitted-hosts.ts';
import { replaceFileDurably } from '../../../system/durable-file.ts';
import { whileLocked } from '../../../system/held-lock.ts';
import { loadConfig } from '../../../system/installation.ts';
import { addLinuxSteps } from './add-steps.ts';
import { type LinuxFacts, linuxProblems, linuxWarnings, lookAtLinux } from './look.ts';
import { linuxHostFiles, type LinuxHostRecord, readLinuxHost, type WantedLinuxHost, writeLinuxHost } from './record.ts';
import { Remote } from './remote.ts';
import { directoryOf, type LinuxParts, runLinuxSteps } from './work.ts';

/** Where it is read that a fingerprint is the machine's. */
export const readLinuxKey = 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub';

/**
 * False when it was one already: then nothing is changed. Throws `name_conflict` for another one of this name, `identity_conflict`
 * for another machine than the one that was added, `precheck_failed` with what is in the way.
 */
export async function addLinuxHost(
	wanted: WantedLinuxHost,
	parts: LinuxParts,
): Promise<{ added: boolean; facts: LinuxFacts }> {
	const directory = directoryOf(parts, wanted.name);
	const { invitation, knownHosts } = linuxHostFiles(directory);
	await mkdir(directory, { recursive: true, mode: 0o700 });
	// Not the lock of the name, which is that of `host invite`: a step takes it.
	return await whileLocked(
		join(directory, 'lock'),
		async () => {
			const known = await prepared(wanted, parts);
			const hostKey = known?.hostKey ?? (await pinKey(wanted, parts));
			await replaceFileDurably(knownHosts, `${knownHostLine(wanted.host, wanted.port, hostKey)}\n`);
			const remote = remoteOf(wanted, knownHosts, parts);
			const facts = await judged(wanted, remote, parts, known);
			if (known?.phase !== 'ready') {
				const record: LinuxHostRecord = { version: 0, kind: 'linux', wanted, phase: 'adding', hostKey };
				await writeLinuxHost(directory, record);
				await runLinuxSteps(addLinuxSteps, { parts, remote, record, facts });
				await writeLinuxHost(directory, { ...record, phase: 'ready' });
			}
			// After the record says so: without it, who is let in cannot be invited again by this name.
			await rm(invitation, { force: true });
			return { added: known?.phase !== 'ready', facts };
		},
		parts.signal,
	);
}

/** What {@link addLinuxHost} would do, and what is in its way: nothing is changed, here or there. */
export async function planLinuxHost(
	wanted: WantedLinuxHost,
	parts: LinuxParts,
): Promise<{ steps: string[]; facts: LinuxFacts }> {
	const known = await prepared(wanted, parts);
	const hostKey = known?.hostKey ?? (await pinKey(wanted, parts));
	const work = await mkdtemp(join(tmpdir(), 'rouse-plan-'));
	try {
		const knownHosts = join(work, 'known_hosts');
		await writeFile(knownHosts, `${knownHostLine(wanted.host, wanted.port, hostKey)}\n`);
		const facts = await judged(wanted, remoteOf(wanted, knownHosts, parts), parts, known);
		const record: LinuxHostRecord = { version: 0, kind: 'linux', wanted, phase: 'adding', hostKey };
		return { facts, steps: known?.phase === 'ready' ? [] : addLinuxSteps.map(({ text }) => text(record)) };
	} finally {
		await rm(work, { recursive: true, force: true });
	}
}

async function prepared(wanted: WantedLinuxHost, parts: LinuxParts): Promise<LinuxHostRecord | undefined> {
	const { name } = wanted;
	const directory = directoryOf(parts, name);
	const known = await readLinuxHost(directory);
	if (known) {
		mustBeSame(known, wanted);
		mustHaveFingerprint(known.hostKey, parts.expectedHostKey);
	} else await mustBeFree(name, directory, parts);
	if (known?.phase !== 'ready') await parts.precheck();
	return known;
}

async function mustBeFree(name: string, directory: string, { installation }: LinuxParts): Promise<void> {
	const { hosts } = await loadConfig(installation);
	// One that was let in otherwise would be let in no more when this one is removed.
	if ((await readHostRecord(directory)) === undefined && !Object.hasOwn(hosts, name))
		return await mustBeNew(installation.home, name);
	throw new RouseError('name_conflict', `${name} is a host already, and was not added in this way`, {
		hint: `choose another name, or remove that one first: rouse host remove ${name} --confirm ${name}`,
	});
}

function mustBeSame({ wanted: known, phase }: LinuxHostRecord, wanted: WantedLinuxHost): void {
	const { name } = wanted;
	if (phase !== 'removing' && isDeepStrictEqual(known, wanted)) return;
	const how =
		phase === 'removing'
			? 'is being removed'
			: `was added as ${known.user}@${known.host}:${known.port}, otherwise than now`;
	throw new RouseError('name_conflict', `${name} ${how}`, {
		hint: `give the options of that time, or remove it first: rouse host remove ${name} --confirm ${name}`,
		details: { directory: known.directory, home: known.home },
	});
}

async function pinKey({ host, port }: WantedLinuxHost, parts: LinuxParts): Promise<string> {
	const keys = await scanHostKeys(host, port, parts.signal);
	const { expectedHostKey: expected, confirmHostKey: confirm } = parts;
	return (await chooseHostKey(keys, { expected, confirm, readCommand: readLinuxKey })).key;
}

export function remoteOf(
	{ host, port, user }: WantedLinuxHost,
	knownHostsPath: string,
	{ identityPath, signal }: Pick<LinuxParts, 'identityPath' | 'signal'>,
): Remote {
	return new Remote({ host, port, user, identityPath, knownHostsPath }, signal);
}

/** Of one that is a host already, what was in the way of becoming one is not: its disks fill, as they should. */
async function judged(
	wanted: WantedLinuxHost,
	remote: Remote,
	parts: LinuxParts,
	known: LinuxHostRecord | undefined,
): Promise<LinuxFacts> {
	const facts = await lookAtLinux(remote, wanted);
	if (known?.phase === 'ready') return facts;
	const { hosts } = await loadConfig(parts.installation);
	const problems = linuxProblems(facts, {
		install: parts.installPackages,
		name: wanted.name,
		hostId: hosts[wanted.name]?.id,
	});
	if (problems.length > 0)
		throw new RouseError('precheck_failed', `${wanted.host} is not ready for it: ${problems.join('; ')}`, {
			hint: 'nothing was changed there: mend it, and give the command again',
		});
	for (const message of linuxWarnings(facts)) parts.tell({ type: 'warning', message });
	return facts;
}
