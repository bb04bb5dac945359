import { readDocument, rowOf } from '../../client/documents.ts';
import { unsealedByHost } from '../../client/sealed.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { parseSince } from '../terminal/parse-time.ts';
import { recoveryAnswer, rowAnswer } from './answer.ts';
import { parseLimit, parsePhases, select } from './list-filter.ts';
import { withSession } from './session.ts';
import { fullText, listText } from './text.ts';

export const buildList = (context: Context) =>
	command('list')
		.description('every recovery that Temporal remembers, the newest first')
		.option('--phase <phases>', 'only those in one of these phases, as running,migrating', parsePhases)
		.option('--machine <name>', 'only those of this machine', parseName)
		.option('--since <time>', 'only those requested since then: 2h, 7d or 2026-11-20T03:00:00Z', text =>
			parseSince(text),
		)
		.option('--limit <number>', 'only the newest of them', parseLimit)
		.action(options =>
			withSession(context, async ({ recoveries, supervisor }) => {
				const views = await supervisor.recoveries({ timeoutMs: 2_000 }).catch(() => []); // the list is there without it
				const seen = new Map(views.map(view => [view.recoveryId, view]));
				const found = await Promise.all((await recoveries.list()).map(one => unsealedByHost(one, supervisor)));
				const rows = found.map(({ summary, power }) => {
					const view = seen.get(summary.recoveryId ?? '');
					return rowAnswer(rowOf(summary, view?.power ?? power, view?.stalled));
				});
				const selected = select(rows, options);
				const none = rows.length > 0 && selected.length === 0;
				context.output.result(
					{ recoveries: selected },
					none ? noneText(rows.length) : listText(selected, context.output.columns),
				);
			}),
		);

function noneText(all: number): string {
	return `None of the ${all} ${all === 1 ? 'recovery' : 'recoveries'} matches; all of them: rouse recover list`;
}

export const buildShow = (context: Context) =>
	command('show')
		.description('everything about one recovery')
		.argument('<name>', 'recovery', parseName)
		.action(name =>
			withSession(context, async session => {
				const answer = recoveryAnswer(await readDocument(session, name));
				context.output.result(answer, fullText(answer));
			}),
		);
