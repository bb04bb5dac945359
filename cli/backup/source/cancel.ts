import { withSession } from '../../recover/session.ts';
import { type Context, command } from '../../terminal/command.ts';
import { parseName } from '../../terminal/parse.ts';
import { lookAt } from './look.ts';
import { importMeant } from './meant.ts';
import { importText } from './text.ts';

/** Without a confirmation: the machine is not touched, and what was read is found by the next import. */
export const buildCancel = (context: Context) =>
	command('cancel')
		.description('read nothing more, and take away what was begun on the platform')
		.argument('<source>', 'its name under sources of config.yaml', parseName)
		.option('--reason <text>', 'why, for the record')
		.action((source, { reason }) =>
			withSession(context, async ({ config, imports, broker }) => {
				const name = await importMeant(context, source, { config, imports });
				const cancelled = await imports.cancel(name, reason === undefined ? {} : { reason });
				const answer = await lookAt({ imports, broker }, cancelled);
				context.output.result(answer, importText(answer));
			}),
		);
