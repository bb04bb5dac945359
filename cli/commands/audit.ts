import { type AuditEntry, makeTimeline } from '../../client/timeline.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatDuration } from '../terminal/format.ts';
import { parseName } from '../terminal/parse.ts';
import { type RecoveryDocument, readDocument } from '../../client/documents.ts';
import { withSession } from '../recover/session.ts';
import { headline } from '../recover/text.ts';
import { readDeaths } from '../../keeper/deaths.ts';

export const build = (context: Context) =>
	command('audit')
		.description('the story of a recovery: who, why, phases, attempts, failures, processes that died')
		.argument('<name>', 'recovery', parseName)
		.action(name =>
			withSession(context, async session => {
				const document = await readDocument(session, name);
				const deaths = await readDeaths(session.installation.home);
				const entries = makeTimeline(await session.recoveries.history(name), document.incidents, deaths);
				const { recoveryId, machine, restorePoint, host, phase, timings } = document;
				const answer = { name, recoveryId, machine, restorePoint, host, phase, timings, entries };
				context.output.result(answer, textOf(document, entries));
			}),
		);

function textOf(document: RecoveryDocument, entries: readonly AuditEntry[]): string {
	const begin = Date.parse(entries[0]?.at ?? document.timings.requestedAt);
	const lines = entries.map(entry => {
		const after = formatDuration(Date.parse(entry.at) - begin).padStart(12);
		return `${entry.at} ${after}  ${entry.text}${whoAndHow(entry)}`;
	});
	return [headline(document), ...lines].join('\n');
}

function whoAndHow({ by, reason, attempt, durationMs, kind }: AuditEntry): string {
	const parts = [
		...(by ? [`by ${by}`] : []),
		...(reason ? [`"${reason}"`] : []),
		...(kind === 'step' && durationMs !== undefined ? [formatDuration(durationMs)] : []),
		...(attempt !== undefined && attempt > 1 ? [`attempt ${attempt}`] : []),
	];
	return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}
