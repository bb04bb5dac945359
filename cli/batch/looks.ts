import { readBatch } from '../../client/batch/documents.ts';
import { withSession } from '../recover/session.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { batchAnswer, batchListText, batchText } from './text.ts';

export const buildLooks = (context: Context) => [list(context), show(context)];

const list = (context: Context) =>
	command('list')
		.description('every batch that Temporal remembers, the newest first')
		.action(() =>
			withSession(context, async ({ batches }) => {
				const found = await batches.list();
				context.output.result({ batches: found }, batchListText(found, context.output.columns));
			}),
		);

const show = (context: Context) =>
	command('show')
		.description('everything about one batch: what runs, what waits and for what')
		.argument('<name>', 'batch', parseName)
		.action(name =>
			withSession(context, async session => {
				const answer = batchAnswer(await readBatch(session, name));
				context.output.result(answer, batchText(answer, context.output.columns));
			}),
		);
