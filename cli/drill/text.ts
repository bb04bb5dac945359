import type { DrillSummary } from '../../client/drills.ts';
import { endedByForce } from '../../client/phases.ts';
import type { DrilledView, DrillPhase, DrillView } from '../../model/drill-view.ts';
import { exitCodeOf } from '../../model/errors.ts';
import { terminalLine } from '../../system/terminal-text.ts';
import { formatTable } from '../terminal/format.ts';
import { formatTime } from '../terminal/format-time.ts';

/** `drill show --json`; docs/cli.md lists the fields. */
export function drillAnswer({ summary, view }: { summary: DrillSummary; view: DrillView }) {
	const { startedMs, endedMs, ...rest } = view;
	const { workflow, requestedBy, reason } = summary;
	return {
		...rest,
		workflow,
		requestedBy,
		reason,
		startedAt: new Date(startedMs).toISOString(),
		endedAt: endedMs === null ? null : new Date(endedMs).toISOString(),
	};
}
export type DrillAnswer = ReturnType<typeof drillAnswer>;

const phaseWords: Readonly<Record<DrillPhase, string>> = {
	running: 'under way',
	cancelled: 'cancelled, and being thrown away',
	discarding: 'tried, and being thrown away',
	over: 'over',
};

const stageWords = { waiting: 'waiting', testing: 'testing', passed: 'passed', failed: 'FAILED' } as const;

function drillHeadline({ name, phase, passed, machines, workflow, cancelled }: DrillAnswer): string {
	const good = machines.filter(({ stage }) => stage === 'passed').length;
	const verdict = passed === null ? '' : passed ? ': passed' : ': FAILED';
	const forced = endedByForce(workflow) ? `, ${workflow.toLowerCase()} in Temporal` : '';
	const why = cancelled === null ? '' : `; ${cancelled}`;
	return terminalLine(
		`${name}: ${phaseWords[phase]}${forced}${verdict}; ${good} of ${machines.length} machines passed${why}`,
	);
}

export function drillText(answer: DrillAnswer, columns?: number): string {
	const { startedAt, endedAt, requestedBy, reason, name, report } = answer;
	const times = `started ${formatTime(startedAt)}${requestedBy === null ? '' : ` by ${requestedBy}`}${endedAt === null ? '' : `, over ${formatTime(endedAt)}`}`;
	const next = report === null ? `rouse drill watch ${name}` : `rouse drill report ${name}`;
	return [
		drillHeadline(answer),
		`  ${terminalLine(`${times}${reason ? `: ${reason}` : ''}`)}`,
		formatTable(
			['NAME', 'MACHINE', 'GROUP', 'RESULT', 'PHASE', 'WHY'],
			answer.machines.map(machine => [
				machine.name,
				machine.machine,
				machine.group,
				stageWords[machine.stage],
				machine.phase ?? '',
				whyText(machine),
			]),
			columns,
		),
		`Next: ${next}`,
	].join('\n');
}

/** What a machine is at, in a line. */
export function machineLine(machine: DrilledView): string {
	const why = whyText(machine);
	const phase = machine.phase === null ? '' : `, ${machine.phase}`;
	return terminalLine(`${machine.name}: ${stageWords[machine.stage]}${phase}${why === '' ? '' : `: ${why}`}`);
}

function whyText({ code, reason }: DrilledView): string {
	return code === null ? (reason ?? '') : `${code}: ${reason ?? ''}`;
}

export function isOver({ phase, workflow }: Pick<DrillAnswer, 'phase' | 'workflow'>): boolean {
	return phase === 'over' || endedByForce(workflow);
}

/** 0 when every machine passed. */
export function exitOf({ passed, workflow }: Pick<DrillAnswer, 'passed' | 'workflow'>): number {
	if (endedByForce(workflow)) return exitCodeOf('phase_wrong');
	return passed ? 0 : exitCodeOf('drill_failed');
}

export function drillListText(drills: readonly DrillSummary[], columns?: number): string {
	if (drills.length === 0) return 'No drills yet. Start one: rouse drill start FILE';
	return formatTable(
		['NAME', 'MACHINES', 'STATE', 'STARTED', 'BY'],
		drills.map(({ name, machines, workflow, startedAt, requestedBy }) => [
			name,
			machines === null ? '' : String(machines),
			workflow === 'RUNNING' ? 'under way' : workflow === 'COMPLETED' ? 'over' : workflow.toLowerCase(),
			formatTime(startedAt),
			requestedBy ?? '',
		]),
		columns,
	);
}
