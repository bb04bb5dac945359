import type { RecoveryDocument } from '../../client/documents.ts';
import { type AuditEntry, readAudit } from '../../client/timeline.ts';
import { readDeaths } from '../../keeper/deaths.ts';
import { readOutages } from '../../system/temporal-outages.ts';
import { withSession } from '../recover/session.ts';
import { headline } from '../recover/text.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatDuration } from '../terminal/format.ts';
import { terminalLine } from '../../system/terminal-text.ts';
import { formatLocalTime, formatZone } from '../terminal/format-time.ts';
import { parseName } from '../terminal/parse.ts';

export const build = (context: Context) =>
	command('audit')
		.description('what happened to a recovery: who, why, phases, attempts, failures, processes that died')
		.argument('<name>', 'recovery', parseName)
		.action(name =>
			withSession(context, async session => {
				const { home } = session.installation;
				const [deaths, outages] = await Promise.all([readDeaths(home), readOutages(home)]);
				const { document, audit } = await readAudit(session, name, { deaths, outages });
				context.output.result(audit, textOf(document, audit.entries));
			}),
		);

function textOf(document: RecoveryDocument, entries: readonly AuditEntry[]): string {
	const begin = Date.parse(entries[0]?.at ?? document.timings.requestedAt);
	const lines = entries.map(entry => {
		const after = formatDuration(Date.parse(entry.at) - begin).padStart(12);
		return `${formatLocalTime(entry.at)} ${after}  ${terminalLine(entry.text + whoAndHow(entry))}`;
	});
	const zone = formatZone(entries[0]?.at ?? document.timings.requestedAt);
	return [headline(document), `times are of ${zone}, then what passed since the request`, ...lines].join('\n');
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
