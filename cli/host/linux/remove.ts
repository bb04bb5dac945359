/** `rouse host remove` of a Linux machine that was added by SSH: all of that is undone, on both sides. */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RouseError } from '../../../model/errors.ts';
import { replaceFileDurably, syncDirectory } from '../../../system/durable-file.ts';
import { whileLocked } from '../../../system/held-lock.ts';
import { knownHostLine } from '../../../hypervisors/hyperv/host-setup/names.ts';
import { remoteOf } from './add.ts';
import { linuxHostFiles, type LinuxHostRecord, writeLinuxHost } from './record.ts';
import type { Remote } from './remote.ts';
import { commandOf, directoryOf, type LinuxParts } from './work.ts';

export interface LinuxRemoval {
	dryRun: boolean;
	/** Here alone: the host is gone for good. */
	forget: boolean;
	/** Throws while recoveries there are not over. */
	mustBeIdle: () => Promise<void>;
	/** Takes back here what the invitation gave. */
	withdraw: () => Promise<void>;
}

/** Names of what its home still has, a line each; nothing where no home of ours is. */
const machines = `[ -e "$1/joined.json" ] || exit 0
[ ! -d "$1/host/recoveries" ] || ls "$1/host/recoveries"`;
const down = `[ -x "$1" ] && [ -e "$2/joined.json" ] || exit 0
"$1" service remove --quiet
"$1" down --quiet`;
/** The home goes before that by which it is known as ours, and the command, which says where all is, last. */
const clear = `if [ -e "$2/joined.json" ]; then
	find "$2" -mindepth 1 -maxdepth 1 ! -name joined.json -exec rm -rf {} +
	rm -rf "$2"
fi
rm -rf "$1"/rouse-* "$1/.invitation" "$1/.invitation.new" "$1/bin/rouse" "$1/bin/.rouse" "$1/.lock"
rmdir "$1/bin" "$1" 2>/dev/null || :`;

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
	const steps = forget ? [here] : [...there, here];
	if (!forget) {
		await removal.mustBeIdle();
		await replaceFileDurably(files.knownHosts, `${knownHostLine(wanted.host, wanted.port, record.hostKey)}\n`);
		await mustBeEmpty(record, remoteOf(wanted, files.knownHosts, parts));
	}
	if (dryRun) return steps;
	await whileLocked(
		`${directory}/lock`,
		async () => {
			await writeLinuxHost(directory, { ...record, phase: 'removing' });
			if (!forget) await removeThere(record, remoteOf(wanted, files.knownHosts, parts));
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

async function removeThere(record: LinuxHostRecord, remote: Remote): Promise<void> {
	const { directory, home } = record.wanted;
	await remote.script(down, [commandOf(record.wanted), home]);
	// One may have begun before its worker was ended.
	await mustBeEmpty(record, remote);
	await remote.script(clear, [directory, home]);
}

async function mustBeEmpty({ wanted: { name, home } }: LinuxHostRecord, remote: Remote): Promise<void> {
	const left = (await remote.script(machines, [home])).split('\n').filter(line => line !== '');
	if (left.length === 0) return;
	throw new RouseError('phase_wrong', `machines are on ${name}: ${left.join(', ')}`, {
		hint: `let no other come (rouse host drain ${name}), and finish or discard those; finished ones go there with rouse host remove. For a host that is gone for good: --forget`,
	});
}
