import { readDocument, rowOf } from '../../client/documents.ts';
import { unsealedByHost } from '../../client/sealed.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { recoveryAnswer, rowAnswer } from './answer.ts';
import { withSession } from './session.ts';
import { fullText, listText } from './text.ts';

export const buildList = (context: Context) =>
	command('list')
		.description('every recovery that Temporal remembers, the newest first')
		.action(() =>
			withSession(context, async ({ recoveries, supervisor }) => {
				const views = await supervisor.recoveries({ timeoutMs: 2_000 }).catch(() => []); // the list is there without it
				const stalled = new Map(views.map(view => [view.recoveryId, view.stalled]));
				const found = await Promise.all((await recoveries.list()).map(one => unsealedByHost(one, supervisor)));
				const rows = found.map(({ summary, power }) =>
					rowAnswer(rowOf(summary, power, stalled.get(summary.recoveryId ?? '') ?? null)),
				);
				context.output.result({ recoveries: rows }, listText(rows));
			}),
		);

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
