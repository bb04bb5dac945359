/** Findings about files: directories, sockets, temporaries, space. */
import { lowWaterBytes } from '../../movers/migration-mover/room.ts';
import { runName } from '../../supervisor/files/places.ts';
import { temporarySuffix } from '../../system/durable-file.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { tapStem } from '../../system/taps.ts';
import type { DirectoryFacts, Facts } from './facts.ts';
import { type Finding, fixCommand, settledMs } from './finding.ts';

export function hostFindings(facts: Facts): Finding[] {
	return [
		...facts.recoveries.flatMap(directory => aboutDirectory(facts, directory)),
		...runDirectoryRefused(facts),
		...runDirectoriesLeft(facts),
		...temporariesLeft(facts),
		...tapsLeft(facts),
		...lowSpace(facts),
	];
}

function aboutDirectory(facts: Facts, directory: DirectoryFacts): Finding[] {
	const { content, path, name } = directory;
	if (content.kind === 'unreadable')
		return [
			{
				code: 'recovery_unreadable',
				subject: name,
				explanation: `${path} cannot be read (${content.reason}): it is left alone, and its machine, if it runs, runs on`,
				command: `restore its state.json or machine.json, or use the version that wrote it; then: rouse down && rouse up --detach`,
			},
		];
	if (content.kind === 'nobody') return unowned(facts, directory);
	if (content.name !== name)
		return [
			{
				code: 'recovery_misplaced',
				subject: name,
				explanation: `${path} holds what belongs to ${content.name}: a directory that was copied or renamed is not acted on`,
				command: `mv ${path} to where no recoveries are; if ${content.name} is gone, back to its name`,
			},
		];
	const tombstone = content.kind === 'recovery' ? facts.tombstones.get(content.recoveryId) : undefined;
	if (tombstone === undefined || facts.supervisor.state === 'answers') return [];
	return [
		{
			code: 'ending_unfinished',
			subject: name,
			explanation: `${name} is ${tombstone.state}, but its supervisor ended before all was cleared away`,
			command: 'rouse up --detach',
		},
	];
}

function unowned({ held }: Facts, { name, path, ageMs, files }: DirectoryFacts): Finding[] {
	if (ageMs < settledMs || held.some(({ recovery }) => recovery === name)) return []; // processes have a finding of their own
	const real = files.filter(file => !file.endsWith(temporarySuffix));
	if (real.length === 0)
		return [
			{
				code: 'directory_empty',
				subject: name,
				explanation: `${path} was made for a recovery that died before its first record`,
				command: fixCommand,
				fix: { do: 'remove-empty', path },
			},
		];
	return [
		{
			code: 'directory_unowned',
			subject: name,
			explanation: `${path} has no record that says whose it is, and holds ${real.slice(0, 5).join(', ')}: these may be a guest's writes`,
			command: `look what it is, then: rm -r ${path}`,
		},
	];
}

function runDirectoryRefused({ runDirectoryRefused: refused }: Facts): Finding[] {
	if (refused === undefined) return [];
	const explanation = `${refused.reason}: sockets are not made in it, and nothing of Rouse starts`;
	return [{ code: 'run_directory_refused', subject: refused.path, explanation, command: refused.mend }];
}

/** Of what cannot be read nobody knows the id, and so not its sockets: then none is taken for left. */
function runDirectoriesLeft({ recoveries, runDirectories, orphans }: Facts): Finding[] {
	if (recoveries.some(({ content }) => content.kind === 'unreadable')) return [];
	const owned = new Set(
		recoveries.flatMap(({ content }) =>
			'recoveryId' in content && content.recoveryId !== undefined ? [runName(content.recoveryId)] : [],
		),
	);
	return runDirectories
		.filter(({ name, configured, ageMs }) => !owned.has(name) && !configured && ageMs >= settledMs)
		.map(({ path, listening }): Finding => {
			const finding = { code: 'run_directory_left', subject: path } as const;
			if (!listening)
				return {
					...finding,
					explanation: `${path} is for the sockets of something that is gone`,
					command: fixCommand,
					fix: { do: 'remove-sockets', path },
				};
			const who = orphans.length > 0 ? 'one of the processes below' : 'a process that no lock tells of';
			return {
				...finding,
				explanation: `${path} belongs to no recovery of this host, but ${who} listens there`,
				command: `ss -xlp | grep ${path}`,
			};
		});
}

function temporariesLeft({ temporaries, recoveries }: Facts): Finding[] {
	return temporaries
		.filter(({ ageMs }) => ageMs >= settledMs)
		.map((temporary): Finding => {
			const { path } = temporary;
			const inside = recoveries.find(({ name }) => name === temporary.recovery)?.content;
			const finding = {
				code: 'temporary_left',
				subject: path,
				explanation: `${path} was being written when its writer died`,
			} as const;
			// The supervisor clears it away with the recovery; until then nothing is touched beside a guest's writes.
			if (temporary.recovery !== undefined && !(inside?.kind === 'recovery' && !inside.powerOnScheduled))
				return { ...finding, command: `rm ${path}` };
			return { ...finding, command: fixCommand, fix: { do: 'remove-file', path } };
		});
}

/** Of what cannot be read nobody knows the id: then none is taken for left. */
function tapsLeft({ taps, recoveries }: Facts): Finding[] {
	if (recoveries.some(({ content }) => content.kind === 'unreadable')) return [];
	const owned = recoveries.flatMap(({ content }) =>
		'recoveryId' in content && content.recoveryId !== undefined ? [tapStem(content.recoveryId)] : [],
	);
	return taps
		.filter(({ name, used, hasMachine }) => !used && !hasMachine && !owned.some(stem => name.startsWith(stem)))
		.map(({ name, directory }): Finding => {
			const finding = { code: 'tap_left', subject: name } as const;
			const explanation = `the network interface ${name} was made for a machine`;
			// It may be one that another installation is making at this moment.
			if (directory === undefined)
				return {
					...finding,
					explanation: `${explanation} of no recovery of this host, and does not say for which`,
					command: `ip link delete dev ${name}`,
				};
			return {
				...finding,
				explanation: `${explanation} in ${directory}, which is gone`,
				command: fixCommand,
				fix: { do: 'remove-tap', name, directory },
			};
		});
}

function lowSpace({ home, space: { freeBytes, ballast } }: Facts): Finding[] {
	if (freeBytes >= lowWaterBytes) return [];
	const given = ballast ? '' : '; the reserve for ending a recovery is given back already';
	return [
		{
			code: 'space_low',
			subject: home,
			explanation: `${formatBytes(freeBytes)} are free: below ${formatBytes(lowWaterBytes)} copying waits, and a guest that finds no room stands still${given}`,
			command: `make room on the file system of ${home}`,
		},
	];
}
