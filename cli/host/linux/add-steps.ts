/** What adding a Linux host does, in this order. Each step finds its work done when it is done again. */
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { exists } from '../../../system/if-there.ts';
import { installCommand } from '../../setup/packages.ts';
import { readInvitation } from '../invitation.ts';
import { inviteHost, isLetIn } from '../invite-host.ts';
import { missingPackages } from './look.ts';
import { linuxHostFiles } from './record.ts';
import { commandOf, directoryOf, type LinuxStep, type LinuxWork, lockOf } from './work.ts';

export const addLinuxSteps: readonly LinuxStep[] = [
	{ name: 'packages', text: () => 'Debian packages that it lacks, where they may be installed', run: installMissing },
	{ name: 'program', text: ({ wanted }) => `Rouse and its Node into ${wanted.directory}`, run: sendProgram },
	{
		name: 'invitation',
		text: ({ wanted }) => `certificates for ${wanted.name}, and its name in config.yaml here`,
		run: invite,
	},
	{ name: 'join', text: ({ wanted }) => `its home in ${wanted.home}, with these`, run: joinThere },
	{
		name: 'service',
		text: () => 'its services, in the care of systemd where it has that',
		run: async ({ remote, record, facts }) => {
			const start = facts.systemd ? ['service', 'install'] : ['up', '--detach'];
			await remote.script('flock -o "$@"', [lockOf(record.wanted), commandOf(record.wanted), ...start, '--quiet']);
		},
	},
	{
		name: 'ready',
		text: () => 'its worker comes to Temporal',
		run: async ({ parts, record }) => {
			await parts.ready((await readInvitation(invitationOf(parts, record.wanted.name))).hostId);
		},
	},
];

async function installMissing({ remote, facts, parts }: LinuxWork): Promise<void> {
	const packages = missingPackages(facts);
	if (packages.length === 0 || !parts.installPackages) return; // else it was refused before
	await remote.script(`export DEBIAN_FRONTEND=noninteractive; umask 022; ${installCommand(packages, true)}`);
}

/**
 * Unpacked beside its place and then renamed: a directory of this name is whole. The command there knows the home, and is
 * changed to the new program last.
 */
const unpack = `
directory=$1 place=$2 archive=$3 lock=$4
umask 022
# One that was cut off may still be at it.
exec 9>"$lock"
flock 9
if [ ! -d "$place" ]; then
	rm -rf "$place.new"
	mkdir "$place.new"
	tar -xzf "$archive" -C "$place.new"
	sync -f "$place.new"
	mv "$place.new" "$place"
fi
rm -f "$archive"
mkdir -p "$directory/bin"
cat >"$directory/bin/.rouse"
chmod 755 "$directory/bin/.rouse"
mv "$directory/bin/.rouse" "$directory/bin/rouse"`;

async function sendProgram({ remote, parts, record: { wanted } }: LinuxWork): Promise<void> {
	const { directory, home } = wanted;
	const { path, sha256, version } = await parts.archive();
	const place = `${directory}/rouse-${version}`;
	const archive = `${place}.tar.gz`;
	const isThere = (await remote.run('[ -d "$1" ]', [place])).code === 0;
	if (!isThere)
		await remote.send(path, archive, sha256, (doneBytes, totalBytes) =>
			parts.tell({ type: 'progress', doneBytes, totalBytes }),
		);
	const command = [
		'#!/bin/sh',
		`export ROUSE_HOME="\${ROUSE_HOME:-${home}}" ROUSE_COMMAND="$0"`,
		`exec ${place}/node/bin/node ${place}/rouse/cli/main.ts "$@"`,
	];
	const input = Readable.from([`${command.join('\n')}\n`]);
	await remote.script(unpack, [directory, place, archive, lockOf(wanted)], input);
}

/** One that opens nothing is of a try that died before it was let in: it is never finished, and another takes its place. */
async function invite({ parts, record: { wanted } }: LinuxWork): Promise<void> {
	const { installation } = parts;
	const path = invitationOf(parts, wanted.name);
	const isDead = (await exists(path)) && !(await isLetIn(installation, wanted.name, await readInvitation(path)));
	if (isDead) await rm(path);
	await inviteHost(installation, wanted.name, path);
}

/** With its keys, the file is there no longer than joining takes. */
async function joinThere({ remote, parts, record: { wanted } }: LinuxWork): Promise<void> {
	const file = `${wanted.directory}/.invitation`;
	const invitation = createReadStream(invitationOf(parts, wanted.name));
	await remote.script('cat >"$1.new"; mv "$1.new" "$1"', [file], invitation);
	await remote.script('flock -o "$1" "$2" host join "$3" --quiet; rm -f "$3"', [
		lockOf(wanted),
		commandOf(wanted),
		file,
	]);
}

function invitationOf(parts: LinuxWork['parts'], name: string): string {
	return linuxHostFiles(directoryOf(parts, name)).invitation;
}
