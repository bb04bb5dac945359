import { withSession } from '../recover/session.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { drillAnswer, drillText } from './text.ts';

/** Without a confirmation: whatever a drill has is disposable. */
export const buildCancel = (context: Context) =>
	command('cancel')
		.description('test nothing more, and throw all its machines away; what is known is reported')
		.argument('<name>', 'drill', parseName)
		.option('--reason <text>', 'why, for the report')
		.action((name, { reason }) =>
			withSession(context, async ({ drills }) => {
				await drills.cancel(name, reason === undefined ? {} : { reason });
				const answer = drillAnswer(await drills.view(name));
				context.output.result(answer, drillText(answer, context.output.columns));
			}),
		);
