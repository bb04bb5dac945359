import { batchTimeline } from '../../client/batch/timeline.ts';
import { drillTimeline } from '../../client/drill/timeline.ts';
import { importTimeline } from '../../client/import-timeline.ts';
import { readAudit, type ServiceTroubles } from '../../client/timeline.ts';
import type { AuditEntry } from '../../client/audit-entry.ts';
import { readDeaths } from '../../keeper/deaths.ts';
import { readOutages } from '../../system/temporal-outages.ts';
import { importMeant } from '../backup/source/meant.ts';
import { type Session, withSession } from '../recover/session.ts';
import { headline } from '../recover/text.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatDuration } from '../terminal/format.ts';
import { terminalLine } from '../../system/terminal-text.ts';
import { formatLocalTime, formatZone } from '../terminal/format-time.ts';
import { parseName } from '../terminal/parse.ts';

export const build = (context: Context) =>
	command('audit')
		.description(
			'what happened to a recovery, a batch, a drill or a backup: who, why, phases, attempts, failures, processes that died',
		)
		.argument('<name>', 'recovery, batch/NAME, drill/NAME or import/SOURCE', parseSubject)
		.action(subject =>
			withSession(context, async session => {
				const { home } = session.installation;
				const [deaths, outages] = await Promise.all([readDeaths(home), readOutages(home)]);
				if (subject.kind === 'batch') return auditBatch(subject.name, { deaths, outages }, { session, context });
				if (subject.kind === 'import') return auditImport(subject.name, { deaths, outages }, { session, context });
				if (subject.kind === 'drill') return auditDrill(subject.name, { deaths, outages }, { session, context });
				const { document, audit } = await readAudit(session, subject.name, { deaths, outages });
				const begin = audit.entries[0]?.at ?? document.timings.requestedAt;
				context.output.result(audit, [headline(document), ...linesOf(audit.entries, begin)].join('\n'));
			}),
		);

async function auditBatch(
	name: string,
	troubles: ServiceTroubles,
	{ session, context }: { session: Session; context: Context },
): Promise<void> {
	const entries = batchTimeline(await session.batches.histories(name), troubles);
	const lines = [`batch ${name}; what happened to a machine of it: rouse audit RECOVERY`];
	const [first] = entries;
	if (first) lines.push(...linesOf(entries, first.at));
	context.output.result({ batch: name, entries }, lines.join('\n'));
}

async function auditDrill(
	name: string,
	troubles: ServiceTroubles,
	{ session, context }: { session: Session; context: Context },
): Promise<void> {
	const entries = drillTimeline(await session.drills.history(name), troubles);
	const schedule = (await session.drillSchedules.list()).find(each => each.name === name) ?? null;
	const lines = [`drill ${name}, the last time; what happened to a machine of it: rouse audit RECOVERY`];
	if (schedule)
		lines.push(
			`schedule ${schedule.cron ?? ''} (UTC) by ${schedule.requestedBy ?? 'somebody'}; one that is still under way is not started twice: left out ${schedule.skipped} times`,
		);
	const [first] = entries;
	if (first) lines.push(...linesOf(entries, first.at));
	context.output.result({ drill: name, schedule, entries }, lines.map(terminalLine).join('\n'));
}

async function auditImport(
	source: string,
	troubles: ServiceTroubles,
	{ session, context }: { session: Session; context: Context },
): Promise<void> {
	const { machine, repositoryId } = await importMeant(context, source, session);
	const { summary, history } = await session.imports.history({ machine, repositoryId });
	const entries = importTimeline(history, summary, troubles);
	const lines = [`the last backup of ${machine}; how it stands: rouse backup status ${source}`];
	const [first] = entries;
	if (first) lines.push(...linesOf(entries, first.at));
	context.output.result({ source, machine, repositoryId, entries }, lines.join('\n'));
}

type Kind = 'recovery' | 'batch' | 'drill' | 'import';

/** `web01-r1`, `batch/site`, `drill/weekly`, `import/web`. */
function parseSubject(text: string): { kind: Kind; name: string } {
	for (const kind of ['batch', 'drill', 'import'] as const)
		if (text.startsWith(`${kind}/`)) return { kind, name: parseName(text.slice(kind.length + 1)) };
	return { kind: 'recovery', name: parseName(text) };
}

/** `begin`: the time of the request. */
export function linesOf(entries: readonly AuditEntry[], begin: string, what = 'the request'): string[] {
	const lines = entries.map(entry => {
		const after = formatDuration(Date.parse(entry.at) - Date.parse(begin)).padStart(12);
		return `${formatLocalTime(entry.at)} ${after}  ${terminalLine(entry.text + whoAndHow(entry))}`;
	});
	return [`times are of ${formatZone(begin)}, then what passed since ${what}`, ...lines];
}

function whoAndHow({ by, reason, attempt, durationMs, livedMs, kind }: AuditEntry): string {
	const parts = [
		...(by ? [`by ${by}`] : []),
		...(reason ? [`"${reason}"`] : []),
		...(kind === 'step' && durationMs !== undefined ? [formatDuration(durationMs)] : []),
		...(livedMs !== undefined ? [`after ${formatDuration(livedMs)}; rouse up starts it again`] : []),
		...(attempt !== undefined && attempt > 1 ? [`attempt ${attempt}`] : []),
	];
	return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}
