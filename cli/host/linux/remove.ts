/** `rouse host remove` of a Linux machine that was added by SSH: all of that is undone, on both sides. */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RouseError } from '../../../model/errors.ts';
import { replaceFileDurably, syncDirectory } from '../../../system/durable-file.ts';
import { whileLocked } from '../../../system/held-lock.ts';
import { knownHostLine } from '../../../hypervisors/hyperv/host-setup/names.ts';
import { loadConfig } from '../../../system/installation.ts';
import { remoteOf } from './add.ts';
import { isOfHost, lookAtHome } from './look.ts';
import { linuxHostFiles, type LinuxHostRecord, writeLinuxHost } from './record.ts';
import type { Remote } from './remote.ts';
import { commandOf, directoryOf, type LinuxParts, lockOf } from './work.ts';

export interface LinuxRemoval {
	dryRun: boolean;
	/** Here alone: the host is gone for good. */
	forget: boolean;
	/** Throws while recoveries there are not over. */
	mustBeIdle: () => Promise<void>;
	/** Takes back here what the invitation gave. */
	withdraw: () => Promise<void>;
}

/** Names of what its home still has, a line each. */
const machines = `[ ! -d "$1/host/recoveries" ] || ls "$1/host/recoveries"`;
/** A recovery may have begun before its worker was ended: then its services are started again, as \`host add\` does. */
const down = `command=$1 home=$2 lock=$3
[ -x "$command" ] || exit 0
# A start that was cut off may still be at it.
exec 9>"$lock"
flock 9
rouse() { "$command" "$@" --quiet 9>&-; }
rouse down
if [ ! -d "$home/host/recoveries" ] || [ -z "$(ls "$home/host/recoveries")" ]; then
	rouse service remove
elif [ -d /run/systemd/system ]; then
	rouse service install
else
	rouse up --detach
fi`;
/**
 * The home goes before that by which it is known as ours, and the command, which says where all is, last. A home may be where
 * a file system is mounted, or a link: that stays, with nothing in it. Of the program only what was sent: beside it there may
 * be anything.
 */
const clear = `directory=$1 home=$2
if [ -d "$directory" ]; then
	exec 9>"$directory/.lock"
	flock 9
fi
if [ -e "$home/joined.json" ]; then
	find "$home/" -mindepth 1 -maxdepth 1 ! -name joined.json ! -name lost+found -exec rm -rf {} +
	rm -f "$home/joined.json"
	rmdir "$home" 2>/dev/null || :
fi
hex=${'[0-9a-f]'.repeat(16)}
for sent in "$directory"/rouse-$hex "$directory"/rouse-$hex.new "$directory"/rouse-$hex.tar.gz "$directory"/rouse-$hex.tar.gz.$hex.part; do
	[ ! -e "$sent" ] || rm -rf "$sent"
done
rm -f "$directory/.invitation" "$directory/.invitation.new" "$directory/bin/rouse" "$directory/bin/.rouse" "$directory/.lock"
rmdir "$directory/bin" "$directory" 2>/dev/null || :`;

/** Throws `phase_wrong` while machines are there, finished ones too; then nothing was changed, and its services run. */
export async function removeLinuxHost(
	record: LinuxHostRecord,
	parts: LinuxParts,
	removal: LinuxRemoval,
): Promise<string[]> {
	const { wanted } = record;
	const directory = directoryOf(parts, wanted.name);
	const files = linuxHostFiles(directory);
	const here = `the certificate of ${wanted.name}, and its name in config.yaml`;
	const there = ['its services', `its home ${wanted.home}`, `Rouse in ${wanted.directory}; Debian packages stay`];
	const { dryRun, forget } = removal;
	let isThere = false;
	if (!forget) {
		await removal.mustBeIdle();
		await replaceFileDurably(files.knownHosts, `${knownHostLine(wanted.host, wanted.port, record.hostKey)}\n`);
		const remote = remoteOf(wanted, files.knownHosts, parts);
		isThere = await mayBeOurs(record, remote, parts);
		if (isThere) await mustBeEmpty(record, remote);
	}
	const steps = isThere ? [...there, here] : [here];
	if (dryRun) return steps;
	await whileLocked(
		`${directory}/lock`,
		async () => {
			await writeLinuxHost(directory, { ...record, phase: 'removing' });
			if (isThere) await removeThere(record, remoteOf(wanted, files.knownHosts, parts), directory);
			await removal.withdraw();
			// The record last: without it nobody would know of the rest.
			for (const path of [files.invitation, files.knownHosts, files.record]) await rm(path, { force: true });
		},
		parts.signal,
	);
	await rm(directory, { recursive: true, force: true });
	await syncDirectory(dirname(directory));
	return steps;
}

/** Where no home is there may be the program still. What another host has, of whatever installation, is left alone, and told. */
async function mayBeOurs({ wanted }: LinuxHostRecord, remote: Remote, parts: LinuxParts): Promise<boolean> {
	const joined = await lookAtHome(remote, wanted.home);
	const { hosts } = await loadConfig(parts.installation);
	if (joined === null || isOfHost(joined, wanted.name, hosts[wanted.name]?.id)) return true;
	const message = `${wanted.home} on ${wanted.host} is of the host ${joined.name} (${joined.hostId}): nothing is removed there`;
	parts.tell({ type: 'warning', message });
	return false;
}

async function removeThere(record: LinuxHostRecord, remote: Remote, recordDirectory: string): Promise<void> {
	const { wanted } = record;
	const { directory, home } = wanted;
	if ((await lookAtHome(remote, home)) !== null) await remote.script(down, [commandOf(wanted), home, lockOf(wanted)]);
	try {
		await mustBeEmpty(record, remote);
	} catch (error) {
		await writeLinuxHost(recordDirectory, record);
		throw error;
	}
	await remote.script(clear, [directory, home]);
}

async function mustBeEmpty({ wanted: { name, home } }: LinuxHostRecord, remote: Remote): Promise<void> {
	const left = (await remote.script(machines, [home])).split('\n').filter(line => line !== '');
	if (left.length === 0) return;
	throw new RouseError('phase_wrong', `machines are on ${name}: ${left.join(', ')}`, {
		hint: `let no other come (rouse host drain ${name}), and finish or discard those; finished ones go there with rouse host remove. For a host that is gone for good: --forget`,
	});
}
