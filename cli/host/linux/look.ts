/** What is to be known of a Linux machine before it becomes a host, and what of it is in the way. */
import * as z from 'zod';
import { RouseError } from '../../../model/errors.ts';
import { formatBytes } from '../../../model/format-bytes.ts';
import { objectionToLead, objectionToOwn } from '../../../system/own-directory.ts';
import { atLeast } from '../../../system/tool-version.ts';
import { type Tool, tools } from '../../setup/tools.ts';
import type { WantedLinuxHost } from './record.ts';
import type { Remote } from './remote.ts';

export interface LinuxFacts {
	system: string;
	machine: string;
	isRoot: boolean;
	systemd: boolean;
	kvm: boolean;
	apt: boolean;
	/** Where the program and the home will be. */
	freeBytes: { directory: number; home: number };
	/** Names of tools that are not there or too old. */
	missing: string[];
	/** Why somebody else could exchange the program, which root runs. */
	exposed: string[];
	/** The host that its home is already. */
	joined: JoinedHome | null;
}

/** As `joined.json` of a home says it (join-home.ts). */
const joinedSchema = z.object({ name: z.string(), hostId: z.string() });
export type JoinedHome = z.infer<typeof joinedSchema>;

/** The program, unpacked and packed. */
const programBytes = 1024 ** 3;

const script = `
freeOf() { at=$1; while [ ! -d "$at" ]; do at=$(dirname "$at"); done; df -PB1 "$at" | awk 'NR == 2 { print $4 }'; }
yes() { if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }
echo "system $(uname -s)"
echo "machine $(uname -m)"
echo "isRoot $(yes test "$(id -u)" = 0)"
echo "systemd $(yes test -d /run/systemd/system)"
echo "kvm $(yes test -c /dev/kvm)"
echo "apt $(yes command -v apt-get)"
echo "directory $(freeOf "$1")"
echo "home $(freeOf "$2")"
echo "joined $(cat "$2/joined.json" 2>/dev/null || :)"
ways() {
	at=$1
	[ ! -d "$at" ] || stat -Lc 'own %u %g %a %n' -- "$at"
	while [ "$at" != / ]; do
		at=$(dirname "$at")
		[ ! -d "$at" ] || stat -Lc 'way %u %g %a %n' -- "$at"
	done
}
if [ "$(uname -s)" = Linux ]; then
	ways "$1"
	real=$(realpath -m -- "$1") # where links lead
	ways "$real"
fi
shift 2
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
for probe in "$@"; do
	case $probe in
	/*) [ -e "$probe" ] || echo "missing $probe" ;;
	*) said=$($probe 2>&1 | head -n 1) || :; command -v "\${probe%% *}" >/dev/null || said=; echo "tool \${probe%% *} $said" ;;
	esac
done`;

export async function lookAtLinux(remote: Remote, { directory, home }: WantedLinuxHost): Promise<LinuxFacts> {
	return parseFacts(await remote.script(script, [directory, home, ...tools.map(probeOf)]));
}

/** Null where no home is that was joined. */
export async function lookAtHome(remote: Remote, home: string): Promise<JoinedHome | null> {
	return parseJoined(await remote.script('[ ! -e "$1/joined.json" ] || cat "$1/joined.json"', [home]));
}

/** Whether a home is that of the host which `hosts` of config.yaml has under this name. */
export function isOfHost(home: JoinedHome, name: string, hostId: string | undefined): boolean {
	return home.name === name && home.hostId === hostId;
}

function parseJoined(text: string): JoinedHome | null {
	if (text.trim() === '') return null;
	try {
		return joinedSchema.parse(JSON.parse(text));
	} catch (cause) {
		throw new RouseError('config_invalid', `joined.json of its home is not understood: ${text.slice(0, 200)}`, {
			cause,
		});
	}
}

function probeOf({ probe }: Tool): string {
	return 'file' in probe ? probe.file : [probe.command, ...(probe.args ?? ['--version'])].join(' ');
}

/** Of what the script prints: a word and its value on each line. */
export function parseFacts(text: string): LinuxFacts {
	const lines = text.split('\n').map(line => /^(\S+) ?(.*)$/.exec(line) ?? ['', '', '']);
	const said = new Map(lines.map(([, word = '', value = '']) => [word, value]));
	const told = new Map(
		lines.flatMap(([, word, value = '']) => {
			const [, name = '', version = ''] = /^(\S+) ?(.*)$/.exec(word === 'tool' ? value : '') ?? [];
			return name === '' ? [] : [[name, version] as const];
		}),
	);
	const noFile = new Set(lines.flatMap(([, word, value = '']) => (word === 'missing' ? [value] : [])));
	const isMissing = ({ probe }: Tool) => {
		if ('file' in probe) return noFile.has(probe.file);
		const version = /\d+(\.\d+)+/.exec(told.get(probe.command) ?? '')?.[0];
		if (!told.get(probe.command)) return true;
		return probe.least !== undefined && (version === undefined || !atLeast(version, probe.least));
	};
	const yes = (word: string) => said.get(word) === 'yes';
	return {
		system: said.get('system') ?? '',
		machine: said.get('machine') ?? '',
		isRoot: yes('isRoot'),
		systemd: yes('systemd'),
		kvm: yes('kvm'),
		apt: yes('apt'),
		freeBytes: { directory: Number(said.get('directory')), home: Number(said.get('home')) },
		missing: tools.filter(isMissing).map(({ name }) => name),
		exposed: [...new Set(lines.flatMap(([, word, value = '']) => exposureOf(word, value)))],
		joined: parseJoined(said.get('joined') ?? ''),
	};
}

/** Of the program's directory (`own`), and of those on the way to it: user, group, mode and path, as stat(1) prints them. */
function exposureOf(word: string | undefined, said: string): string[] {
	if (word !== 'own' && word !== 'way') return [];
	const [, uid, gid, mode = '', path] = /^(\d+) (\d+) ([0-7]+) (.*)$/.exec(said) ?? [];
	const found = { uid: Number(uid), gid: Number(gid), mode: Number.parseInt(mode, 8) };
	const objection = (word === 'own' ? objectionToOwn : objectionToLead)(found, { uid: 0, gid: 0 });
	return objection === undefined ? [] : [`${path} which ${objection.what}`];
}

/** The Debian packages that bring what is missing. */
export function missingPackages({ missing }: Pick<LinuxFacts, 'missing'>): string[] {
	return [...new Set(tools.filter(({ name }) => missing.includes(name)).map(tool => tool.debianPackage))].toSorted();
}

/** Empty when it can become the host `name`, of this id where it has one already; `install`: packages may be installed. */
export function linuxProblems(
	facts: LinuxFacts,
	{ install, name, hostId }: { install: boolean; name: string; hostId: string | undefined },
): string[] {
	const { system, machine, isRoot, apt, freeBytes, exposed, joined } = facts;
	if (system !== 'Linux') return [`it runs ${system || 'no Linux'}`];
	const problems: string[] = [];
	if (machine !== 'x86_64') problems.push(`its processor is ${machine}, and the program is sent for x86_64`);
	if (!isRoot) problems.push('who logs in there is not root');
	for (const what of exposed) problems.push(`root would run a program that is reached through ${what}`);
	if (joined !== null && !isOfHost(joined, name, hostId))
		problems.push(`its home is that of the host ${joined.name} (${joined.hostId}) already`);
	for (const [what, bytes] of Object.entries(freeBytes))
		if (bytes < programBytes)
			problems.push(`${formatBytes(bytes)} are free for its ${what}, and ${formatBytes(programBytes)} are needed`);
	const packages = missingPackages(facts);
	if (packages.length > 0 && !install)
		problems.push(
			`it lacks what these Debian packages bring: ${packages.join(' ')} (--install-packages installs them)`,
		);
	else if (packages.length > 0 && !apt) problems.push(`it has no apt-get, and lacks ${facts.missing.join(', ')}`);
	return problems;
}

/** What works worse there. */
export function linuxWarnings({ systemd, kvm }: LinuxFacts): string[] {
	return [
		...(kvm ? [] : ['it has no /dev/kvm: its machines are emulated, which is slow']),
		...(systemd
			? []
			: ['it has no systemd: services run until its next boot, after which `rouse up --detach` is to be said there']),
	];
}
