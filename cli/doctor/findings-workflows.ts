/** Findings about what lies in two places: a host's recoveries, their workflows in Temporal, pins in repositories. */
import { join } from 'node:path';
import type { Phase } from '../../model/recovery.ts';
import { keys } from '../../repository/format/keys.ts';
import type { DirectoryContent, Facts, PinFacts, RepositoryFacts, WorkflowFacts } from './facts.ts';
import { abandonedText } from '../recover/next-text.ts';
import { formatDuration } from '../terminal/format.ts';
import { formatLocalTime } from '../terminal/format-time.ts';
import { type Finding, fixCommand, settledMs } from './finding.ts';

type OnHost = Extract<DirectoryContent, { kind: 'recovery' }>;

export function workflowFindings(facts: Facts): Finding[] {
	const onHost = facts.recoveries
		.filter(({ content, name }) => content.kind !== 'recovery' || content.name === name)
		.flatMap(({ content }) => (content.kind === 'recovery' ? [content] : []))
		.filter(({ recoveryId }) => !facts.tombstones.has(recoveryId));
	return [
		...onHost.flatMap(recovery => withoutWorkflow(facts, recovery)),
		...notHere(facts, onHost),
		...owedUndos(facts),
		...facts.repositories.flatMap(repository => pinsLeft(facts, onHost, repository)),
		...grantsLeft(facts, onHost),
	];
}

const isOpen = ({ status }: WorkflowFacts) => status === 'RUNNING' || status === 'PAUSED';

/** A host that lives undoes what it owes within seconds. */
const owedMs = 5 * 60_000;

function owedUndos({ owedUndos: all, host: here }: Facts): Finding[] {
	return all
		.filter(({ ageMs }) => ageMs >= owedMs)
		.map(({ recovery, host, since, ageMs }) => ({
			code: 'undo_owed',
			subject: `${recovery} on ${host}`,
			explanation: `${recovery} has left ${host}, which did not answer, before it ran there; what ${host} may have of it is to be undone since ${formatLocalTime(since)}, for ${formatDuration(ageMs)} now`,
			command:
				host === here
					? 'rouse up --detach'
					: `start the services of ${host}; if it is gone for good: rouse host remove ${host} --forget --reason TEXT --confirm ${host}`,
		}));
}

function withoutWorkflow({ workflows, owedUndos: owed, host }: Facts, { name, recoveryId }: OnHost): Finding[] {
	if (workflows === undefined) return [];
	// It goes on elsewhere, and to adopt what is to be undone would make a second one.
	if (owed.some(undo => undo.recoveryId === recoveryId && undo.host === host)) return [];
	const workflow = workflows.find(other => other.name === name);
	const adopt = `rouse recover adopt ${name}`;
	if (workflow === undefined)
		return [
			{
				code: 'workflow_missing',
				subject: name,
				explanation: `${name} is on this host, and Temporal knows no workflow of it: it stands where it is`,
				command: adopt,
			},
		];
	if (!isOpen(workflow) && workflow.phase === 'abandoned' && workflow.recoveryId === recoveryId)
		return [
			{
				code: 'recovery_abandoned',
				subject: name,
				explanation: `${name} is on this host, which its workflow has given up: its machine is not started by itself`,
				command: abandonedText(name),
			},
		];
	if (!isOpen(workflow))
		return [
			{
				code: 'workflow_closed',
				subject: name,
				explanation: `${name} is on this host, and its workflow is closed (${workflow.status}): it stands where it is`,
				command: adopt,
			},
		];
	if (workflow.recoveryId === undefined || workflow.recoveryId === recoveryId) return [];
	return [
		{
			code: 'workflow_foreign',
			subject: name,
			explanation: `the workflow of ${name} drives another recovery (${workflow.recoveryId}) than the one on this host (${recoveryId})`,
			command: `rouse recover show ${name}; end that one first, then: ${adopt}`,
		},
	];
}

/** Phases in which a host must have it, whatever is under way. */
const mustBeOnHost: readonly Phase[] = ['running', 'migrating', 'migrated'];

function notHere({ workflows = [], host, recoveries, tombstones }: Facts, onHost: readonly OnHost[]): Finding[] {
	// What cannot be read may be it.
	if (recoveries.some(({ content }) => content.kind === 'unreadable')) return [];
	return workflows
		.filter(workflow => isOpen(workflow) && workflow.host === host && mustBeOnHost.includes(workflow.phase))
		.filter(({ recoveryId }) => recoveryId !== undefined && !tombstones.has(recoveryId))
		.filter(({ recoveryId }) => !onHost.some(recovery => recovery.recoveryId === recoveryId))
		.map(({ name, phase }) => ({
			code: 'recovery_not_here',
			subject: name,
			explanation: `the workflow of ${name} is ${phase} on this host, which has nothing of it: its machine and writes are gone`,
			command: `rouse recover show ${name}, then: rouse recover discard ${name} --confirm ${name}`,
		}));
}

function pinsLeft(facts: Facts, onHost: readonly OnHost[], repository: RepositoryFacts): Finding[] {
	const { directory, pins, damagedPins, problem } = repository;
	if (problem !== undefined)
		return [
			{
				code: 'repository_away',
				subject: directory,
				explanation: `${directory} cannot be looked at: ${problem}`,
				command: 'see whether its file system is mounted, and whether config.yaml names it right',
			},
		];
	const used = usedBy(facts, onHost);
	// What cannot be read may be the user of any of them.
	const allRead = facts.recoveries.every(({ content }) => content.kind !== 'unreadable');
	const left = pins
		.filter(({ recoveryId }) => !used.has(recoveryId))
		// The recovery of a young one may have begun since workflows and host were looked at.
		.filter(({ ageMs, ...pin }) => endOf(facts, pin) !== undefined || (allRead && ageMs >= settledMs))
		.map(pin => pinLeft(facts, directory, pin));
	return [...left, ...damagedPins.map(pin => pinDamaged(facts, directory, pin, used.has(pin.recoveryId)))];
}

function pinDamaged(
	{ tombstones }: Facts,
	repository: string,
	{ recoveryId, reason }: RepositoryFacts['damagedPins'][number],
	isUsed: boolean,
): Finding {
	const subject = join(repository, keys.pin(recoveryId));
	const about = { code: 'pin_damaged', subject } as const;
	const explanation = `which restore point is kept (pinned) for recovery ${recoveryId} cannot be read: ${reason}`;
	const ended = tombstones.get(recoveryId);
	if (ended && !isUsed)
		return {
			...about,
			explanation: `${explanation}; it is ${ended.state} on this host`,
			command: fixCommand,
			fix: { do: 'unpin', repository, recoveryId },
		};
	const command = isUsed
		? 'put this file back from a copy of the repository; when the recovery ends, it goes'
		: `see that no installation has a recovery with this id, then: rm ${subject}`;
	return { ...about, explanation, command };
}

/** What is known of the end of a recovery, here or on the host that was granted to read for it. */
function endOf({ tombstones }: Facts, { recoveryId, granted }: Pick<PinFacts, 'recoveryId' | 'granted'>) {
	const ended = tombstones.get(recoveryId);
	if (ended) return `is ${ended.state} on this host`;
	return granted?.ended ? `was on host ${granted.host} and is over` : undefined;
}

function pinLeft(facts: Facts, repository: string, pin: PinFacts): Finding {
	const { recoveryId, machine, restorePoint, reason, granted } = pin;
	const subject = join(repository, keys.pin(recoveryId));
	const what = `${machine}@${restorePoint} is kept (pinned) for ${reason} (${recoveryId})`;
	const end = endOf(facts, pin);
	if (end !== undefined)
		return {
			code: 'pin_left',
			subject,
			explanation: `${what}, which ${end}`,
			command: fixCommand,
			fix: { do: 'unpin', repository, recoveryId },
		};
	const where = facts.workflows ? 'nor has it an open workflow' : 'and Temporal does not answer';
	const elsewhere = granted && granted.host !== facts.host ? granted.host : undefined;
	const whose =
		elsewhere === undefined ? "another installation's" : `on host ${elsewhere}, which was granted to read it`;
	const user = elsewhere === undefined ? 'no other installation' : `nothing on host ${elsewhere}`;
	return {
		code: 'pin_unknown',
		subject,
		explanation: `${what}, which this host does not have, ${where}: it may be ${whose}`,
		command: `see that ${user} uses it, then: rm ${subject}`,
	};
}

/** Recoveries that are here, or that a workflow drives. */
function usedBy({ workflows = [] }: Facts, onHost: readonly OnHost[]): Set<string | undefined> {
	return new Set([...onHost, ...workflows.filter(isOpen)].map(({ recoveryId }) => recoveryId));
}

/** One with a pin is told of with that; of one whose repository or workflow cannot be seen nothing is known. */
function grantsLeft(facts: Facts, onHost: readonly OnHost[]): Finding[] {
	const { grants, repositories, workflows, recoveries } = facts;
	if (workflows === undefined || recoveries.some(({ content }) => content.kind === 'unreadable')) return [];
	const used = usedBy(facts, onHost);
	const open = new Set(workflows.filter(isOpen).map(({ name }) => name));
	return grants
		.filter(({ recoveryId, name, ageMs }) => !used.has(recoveryId) && !open.has(name) && ageMs >= settledMs)
		.filter(({ recoveryId, repository }) => {
			const seen = repositories.find(({ directory, problem }) => directory === repository && problem === undefined);
			// One that is damaged stands as well.
			return seen && ![...seen.pins, ...seen.damagedPins].some(pin => pin.recoveryId === recoveryId);
		})
		.map(({ recoveryId, name, host, repository }) => ({
			code: 'grant_left',
			subject: recoveryId,
			explanation: `host ${host} may read ${repository} for ${name}, which has neither an open workflow nor a pin`,
			command: fixCommand,
			fix: { do: 'end-grant', recoveryId },
		}));
}
