/** Findings about processes: of recoveries, known by their locks, and the services. */
import { protocolVersion } from '../../supervisor/protocol.ts';
import { formatTime } from '../terminal/format-time.ts';
import type { Facts, HeldFacts } from './facts.ts';
import { type Finding, fixCommand, settledMs } from './finding.ts';

const restart = 'rouse down && rouse up --detach';

export function processFindings(facts: Facts): Finding[] {
	return [
		...unowned(facts),
		...orphaned(facts),
		...supervisor(facts),
		...otherServices(facts),
		...silentServed(facts),
		...withoutTemporal(facts),
	];
}

/** Its directory is there and has no record: nobody will ever end it. */
function unowned({ held, recoveries }: Facts): Finding[] {
	const left = recoveries.filter(({ content, ageMs }) => content.kind === 'nobody' && ageMs >= settledMs);
	const nobody = new Set(left.map(({ name }) => name));
	return held
		.filter(({ recovery }) => nobody.has(recovery))
		.map(process => ({
			code: 'process_unowned',
			subject: `pid ${process.pid}`,
			explanation: `a ${process.of} holds ${process.path}, and no recovery it belongs to is on this host`,
			...mending(process, held),
		}));
}

function orphaned({ orphans, held }: Facts): Finding[] {
	return orphans.map(process => ({
		code: 'process_orphaned',
		subject: `pid ${process.pid}`,
		explanation: `a ${process.of} runs under ${process.path}, which was removed under it`,
		...mending(process, [...orphans, ...held]),
	}));
}

/** What a machine has written may be nowhere else, and it may need its mover to be shut down in order. */
function mending(
	{ of, recovery, pid, startTicks }: HeldFacts,
	all: readonly HeldFacts[],
): Pick<Finding, 'command' | 'fix'> {
	// A repository mover is no recovery's: any may need it.
	const needed = all.some(other =>
		recovery === '' ? other.recovery !== '' : other.of === 'machine' && other.recovery === recovery,
	);
	if (of === 'mover' && !needed) return { command: fixCommand, fix: { do: 'end-process', pid, startTicks } };
	const first = of === 'machine' ? 'save what its guest still needs' : 'end its machine first';
	return { command: `${first}, then: kill ${pid}` };
}

function supervisor({ supervisor: it, recoveries, home }: Facts): Finding[] {
	if (it.state === 'silent')
		return [
			{
				code: 'supervisor_silent',
				subject: `pid ${it.pid}`,
				explanation: 'the supervisor holds its lock and does not answer',
				command: restart,
			},
		];
	if (it.state === 'answers')
		return it.protocol === protocolVersion
			? []
			: [
					{
						code: 'protocol_differs',
						subject: 'supervisor',
						explanation: `the supervisor speaks protocol ${it.protocol}, this command ${protocolVersion}: they are of different versions`,
						command: restart,
					},
				];
	const unfinished = recoveries.filter(({ content }) => content.kind === 'recovery').map(({ name }) => name);
	if (unfinished.length === 0) return [];
	return [
		{
			code: 'supervisor_down',
			subject: home,
			explanation: `no supervisor looks after ${unfinished.join(', ')}: what dies of them is not started again`,
			command: 'rouse up --detach',
		},
	];
}

function withoutTemporal({ outages }: Facts): Finding[] {
	return outages.map(({ worker, since, reason, next }) => ({
		code: 'temporal_away',
		subject: worker,
		explanation: `it has not reached Temporal since ${formatTime(since)}, so that steps and orders wait: ${reason}`,
		command: next,
	}));
}

function silentServed({ silent }: Facts): Finding[] {
	return silent.map(({ key, host, port, logPath }) => ({
		code: 'served_silent',
		subject: key,
		explanation: `nothing of this installation answers at ${host}, port ${port}, so that hosts elsewhere wait: config.yaml was changed since the services were started, or its log says why: ${logPath}`,
		command: restart,
	}));
}

function otherServices({ services }: Facts): Finding[] {
	return services.flatMap(({ name, pid, other }) =>
		other === undefined
			? []
			: [
					{
						code: 'service_differs' as const,
						subject: name,
						explanation: `${name} (pid ${pid}) runs with ${other}, not as this command`,
						command: restart,
					},
				],
	);
}
