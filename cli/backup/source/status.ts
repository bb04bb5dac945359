import { withSession } from '../../recover/session.ts';
import { type Context, command } from '../../terminal/command.ts';
import { parseName } from '../../terminal/parse.ts';
import { lookAt, readerOf } from './look.ts';
import { importMeant } from './meant.ts';
import { importListText, importText } from './text.ts';
import { follow } from './watch.ts';

export const buildStatus = (context: Context) =>
	command('status')
		.description('how a backup from a source stands, or the latest of each machine')
		.argument('[source]', 'its name under sources of config.yaml', parseName)
		.action(source =>
			withSession(context, async ({ config, imports, broker }) => {
				if (source === undefined) {
					const found = await imports.list();
					return context.output.result({ imports: found }, importListText(found, context.output.columns));
				}
				const name = await importMeant(context, source, { config, imports });
				const answer = await lookAt({ imports, broker }, name);
				context.output.result(answer, importText(answer));
			}),
		);

export const buildWatch = (context: Context) =>
	command('watch')
		.description('follow a backup from a source to its end; Ctrl-C stops looking, nothing else')
		.argument('<source>', 'its name under sources of config.yaml', parseName)
		.action(source =>
			withSession(context, async ({ config, imports, broker }) => {
				const name = await importMeant(context, source, { config, imports });
				await follow(source, readerOf({ imports, broker }, name), context);
			}),
		);
