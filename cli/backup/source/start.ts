import { withSession } from '../../recover/session.ts';
import { type Context, command } from '../../terminal/command.ts';
import { parseBytes, parseName } from '../../terminal/parse.ts';
import { sourceMeant } from './meant.ts';
import { importAnswer, importText } from './text.ts';
import { follow } from './watch.ts';

export const buildStart = (context: Context) =>
	command('start')
		.description('back a machine up from where it runs: a new restore point, made by the workers')
		.argument('<source>', 'its name under sources of config.yaml', parseName)
		.option('--wait', 'until it is over; the exit code says how it ended')
		.option('--max-rate <size>', 'read no more than so much in a second (default: what config.yaml says)', parseBytes)
		.option('--reason <text>', 'why, for the record')
		.action((source, { wait, maxRate, reason }) =>
			withSession(context, async ({ config, imports }) => {
				const { machine, places } = await sourceMeant(context, source, config);
				const name = { machine, repositoryId: places.repositoryId };
				await imports.start({ ...places, machine, maxRateBytes: maxRate ?? null }, reason);
				const read = async () => importAnswer(await imports.view(name));
				if (wait) return follow(source, read, context);
				const answer = await read();
				context.output.result(answer, importText(answer));
			}),
		);
