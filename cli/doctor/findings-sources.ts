/** Findings about the platforms from which machines are backed up. */
import type { Facts, ImportScheduleFacts, LeftoverFacts, SourceFacts } from './facts.ts';
import type { Finding } from './finding.ts';

/** Of one source: where thousands are left nobody reads a finding for each. */
const mostTold = 16;

export function sourceFindings({ sources, importSchedules }: Pick<Facts, 'sources' | 'importSchedules'>): Finding[] {
	return [
		...sources.flatMap(source => [...notKnown(source), ...leftOver(source)]),
		...importSchedules.flatMap(ofSchedule),
	];
}

/** One whose source is gone fails each time for that alone. */
function ofSchedule({ source, isConfigured, lastAt, failure }: ImportScheduleFacts): Finding[] {
	if (!isConfigured)
		return [
			{
				code: 'import_schedule_left',
				subject: source,
				explanation: `backups of ${source} have a schedule, and config.yaml has no source of that name: each fails`,
				command: `rouse backup schedule remove ${source}`,
			},
		];
	if (failure === null) return [];
	const { code, message, hint } = failure;
	return [
		{
			code: 'import_schedule_failed',
			subject: source,
			explanation: `the last backup of ${source} by its schedule, of ${lastAt ?? 'a time not known'}, has failed: ${code}: ${message}${hint === undefined ? '' : ` (${hint})`}`,
			command: `rouse backup start ${source}`,
		},
	];
}

function notKnown({ name, problem }: SourceFacts): Finding[] {
	if (problem === undefined) return [];
	if (problem.ofConfig)
		return [
			{
				code: 'source_misconfigured',
				subject: name,
				explanation: `config.yaml is wrong about source ${name}, and no backup of it can begin: ${problem.message}`,
				command: `mend it in config.yaml, then rouse backup plan ${name}`,
			},
		];
	return [
		{
			code: 'source_silent',
			subject: name,
			explanation: `what imports of ${name} have left is not known: ${problem.message}`,
			command: `rouse backup plan ${name}`,
		},
	];
}

/** The next import takes away what the ones before have left. */
function leftOver({ name, leftovers }: SourceFacts): Finding[] {
	const more = leftovers.slice(mostTold);
	return [...leftovers.slice(0, mostTold).map(left => told(name, left)), ...toldTogether(name, more)];
}

function told(name: string, { what, tag, since, costText, canDelete }: LeftoverFacts): Finding {
	const begun = since === null ? '' : ` (there since ${since})`;
	const cost = costText === null ? '' : `; ${costText}`;
	return {
		code: 'import_left_over',
		subject: name,
		// Where that is `what` says: on a platform, or what was fetched from there on this side.
		explanation: `import ${tag} of ${name} has left ${what}${begun}, and no import needs that${cost}`,
		command: commandFor(name, canDelete),
	};
}

function toldTogether(name: string, more: readonly LeftoverFacts[]): Finding[] {
	if (more.length === 0) return [];
	return [
		{
			code: 'import_left_over',
			subject: name,
			explanation: `imports of ${name} have left ${more.length} more things, and no import needs them`,
			command: commandFor(
				name,
				more.some(({ canDelete }) => canDelete),
			),
		},
	];
}

function commandFor(name: string, canDelete: boolean): string {
	return canDelete ? `rouse backup start ${name}` : 'remove it where it is, by hand or with the tools of the platform';
}
