import { withSession } from '../../recover/session.ts';
import { type Context, command } from '../../terminal/command.ts';
import { parseName } from '../../terminal/parse.ts';
import { importMeant } from './meant.ts';
import { importAnswer, importListText, importText } from './text.ts';
import { follow, readerOf } from './watch.ts';

export const buildStatus = (context: Context) =>
	command('status')
		.description('how a backup from a source stands, or the latest of each machine')
		.argument('[source]', 'its name under sources of config.yaml', parseName)
		.action(source =>
			withSession(context, async ({ config, imports }) => {
				if (source === undefined) {
					const found = await imports.list();
					return context.output.result({ imports: found }, importListText(found, context.output.columns));
				}
				const name = await importMeant(context, source, { config, imports });
				const answer = importAnswer(await imports.view(name));
				context.output.result(answer, importText(answer));
			}),
		);

export const buildWatch = (context: Context) =>
	command('watch')
		.description('follow a backup from a source to its end; Ctrl-C stops looking, nothing else')
		.argument('<source>', 'its name under sources of config.yaml', parseName)
		.action(source =>
			withSession(context, async ({ config, imports }) => {
				const name = await importMeant(context, source, { config, imports });
				await follow(source, readerOf(imports, name), context);
			}),
		);
