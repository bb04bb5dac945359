import { withSession } from '../recover/session.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { drillAnswer, drillListText, drillText } from './text.ts';

export const buildLooks = (context: Context) => [list(context), show(context)];

const list = (context: Context) =>
	command('list')
		.description('every drill that Temporal remembers, the newest first')
		.action(() =>
			withSession(context, async ({ drills }) => {
				const found = await drills.list();
				context.output.result({ drills: found }, drillListText(found, context.output.columns));
			}),
		);

const show = (context: Context) =>
	command('show')
		.description('everything about one drill: what is tested, what passed, what failed and why')
		.argument('<name>', 'drill', parseName)
		.action(name =>
			withSession(context, async session => {
				const answer = drillAnswer(await session.drills.view(name));
				context.output.result(answer, drillText(answer, context.output.columns));
			}),
		);
