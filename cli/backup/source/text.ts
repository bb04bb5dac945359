import type { HolderStanding } from '../../../client/holder-standing.ts';
import type { ImportStanding, ImportSummary } from '../../../client/imports.ts';
import { endedByForce } from '../../../client/phases.ts';
import { exitCodeOf } from '../../../model/errors.ts';
import { formatBytes } from '../../../model/format-bytes.ts';
import type { ImportedDisk, ImportPhase } from '../../../model/import-view.ts';
import { terminalLine } from '../../../system/terminal-text.ts';
import { waitsFor } from '../../recover/text.ts';
import { formatDuration, formatTable } from '../../terminal/format.ts';
import { formatTime } from '../../terminal/format-time.ts';

/** `backup status --json`; docs/cli.md lists the fields. */
export function importAnswer(
	{ summary, view, progress, attempt, lastFailure, waits }: ImportStanding,
	broker: HolderStanding | null,
) {
	const { startedMs, endedMs, ...rest } = view;
	const { workflow, requestedBy, reason } = summary;
	return {
		...rest,
		workflow,
		requestedBy,
		reason,
		startedAt: new Date(startedMs).toISOString(),
		endedAt: endedMs === null ? null : new Date(endedMs).toISOString(),
		progress,
		attempt,
		lastFailure,
		waits,
		broker,
	};
}
export type ImportAnswer = ReturnType<typeof importAnswer>;

const phaseWords: Readonly<Record<ImportPhase, string>> = {
	planning: 'is planned',
	queued: 'waits for its turn',
	beginning: 'has its moment taken',
	waiting: 'waits for its platform to have the moment at hand',
	copying: 'is copied',
	committing: 'is stored, and its platform told so',
	'giving-up': 'is given up',
	over: 'is over',
};

export function importHeadline({
	source,
	machine,
	phase,
	outcome,
	failure,
	cancelled,
	workflow,
	...more
}: ImportAnswer) {
	const what = source === machine ? machine : `${machine} (${source})`;
	const forced = endedByForce(workflow) ? `, ${workflow.toLowerCase()} in Temporal` : '';
	if (outcome === 'imported') return terminalLine(`${machine}@${more.restorePoint ?? ''}: stored`);
	if (outcome === 'failed')
		return terminalLine(`${what}: ${cancelled ?? `failed: ${failure?.code ?? ''}: ${failure?.message ?? ''}`}`);
	const why = failure?.message ?? cancelled;
	const ended = why === null ? '' : `: ${why}`;
	const queued = more.waits ? ', waits for a worker that is free' : '';
	const again = more.attempt > 1 ? `, attempt ${more.attempt}: ${more.lastFailure ?? 'its worker died'}` : queued;
	// Meanwhile its moment is looked at, which is no step of it.
	const onceMore = more.queuedAgain ? ` once more: ${more.queuedAgain}` : again;
	return terminalLine(`${what} ${phaseWords[phase]}${forced}${ended}${onceMore}`);
}

export function importText(answer: ImportAnswer): string {
	const { startedAt, requestedBy, reason, consistency, takenAt, figures, progress, warnings, outcome } = answer;
	const { machine, source, restorePoint, endedAt, failure } = answer;
	const duration =
		endedAt === null ? '' : `, over after ${formatDuration(Date.parse(endedAt) - Date.parse(startedAt))}`;
	const lines = [
		`  started ${formatTime(startedAt)}${requestedBy === null ? '' : ` by ${requestedBy}`}${duration}${reason ? `: ${reason}` : ''}`,
		...waitsFor(answer).map(text => `  waits for ${text}`),
		...(takenAt === null ? [] : [`  as it was ${formatTime(takenAt)}, consistency ${consistency ?? 'unknown'}`]),
		...answer.disks.map(disk => `  ${diskLine(disk)}`),
		...(progress === null ? [] : [`  ${progressLine(progress)}`]),
		...(figures === null
			? []
			: [`  ${formatBytes(figures.newBytes)} were new and take ${formatBytes(figures.storedBytes)}`]),
		...warnings.map(warning => `  warning: ${warning}`),
		...(outcome === 'failed' && failure?.hint ? [`  ${failure.hint}`] : []),
	];
	const next = !isOver(answer)
		? `rouse backup watch ${source}`
		: outcome === 'imported'
			? `rouse recover start ${machine}@${restorePoint ?? 'latest'}`
			: `rouse backup start ${source}`;
	return [importHeadline(answer), ...lines.map(terminalLine), `Next: ${next}`].join('\n');
}

export function diskLine({ key, sizeBytes, reads, why }: ImportedDisk): string {
	const how = reads === 'changes' ? 'what has changed is read' : `all of it is read${why === null ? '' : `: ${why}`}`;
	return `${key}, ${formatBytes(sizeBytes)}: ${how}`;
}

function progressLine({
	doneBytes,
	totalBytes,
	readBytes,
	newBytes,
	rateBytes,
	etaMs,
}: NonNullable<ImportAnswer['progress']>) {
	const eta = etaMs === null ? '' : `, about ${formatDuration(etaMs)} left`;
	return `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)} done, ${formatBytes(readBytes)} read (${formatBytes(rateBytes)}/s), ${formatBytes(newBytes)} new${eta}`;
}

export function isOver({ phase, workflow }: Pick<ImportAnswer, 'phase' | 'workflow'>): boolean {
	return phase === 'over' || endedByForce(workflow);
}

/** 0 when the point is there. */
export function exitOf({ outcome, failure, workflow }: Pick<ImportAnswer, 'outcome' | 'failure' | 'workflow'>): number {
	if (endedByForce(workflow)) return exitCodeOf('phase_wrong');
	return outcome === 'imported' ? 0 : exitCodeOf(failure?.code ?? 'import_failed');
}

export function importListText(imports: readonly ImportSummary[], columns?: number): string {
	if (imports.length === 0) return 'No backups from sources yet. Start one: rouse backup start SOURCE';
	return formatTable(
		['MACHINE', 'SOURCE', 'STATE', 'STARTED', 'BY'],
		imports.map(({ machine, source, workflow, startedAt, requestedBy }) => [
			machine,
			source ?? '',
			workflow === 'RUNNING' ? 'under way' : workflow === 'COMPLETED' ? 'over' : workflow.toLowerCase(),
			formatTime(startedAt),
			requestedBy ?? '',
		]),
		columns,
	);
}
