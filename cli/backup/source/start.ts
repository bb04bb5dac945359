import { RouseError } from '../../../model/errors.ts';
import { openMachineSource, type SourceAddress } from '../../../sources/open-machine-source.ts';
import { sourceIn } from '../../../system/machine-sources.ts';
import { withSession } from '../../recover/session.ts';
import { type Context, command } from '../../terminal/command.ts';
import { parseBytes, parseName } from '../../terminal/parse.ts';
import { readerOf } from './look.ts';
import { sourceMeant } from './meant.ts';
import { importText } from './text.ts';
import { follow } from './watch.ts';

export const buildStart = (context: Context) =>
	command('start')
		.description('back a machine up from where it runs: a new restore point, made by the workers')
		.argument('<source>', 'its name under sources of config.yaml', parseName)
		.option('--wait', 'until it is over; the exit code says how it ended')
		.option(
			'--max-rate <size>',
			'read no more than so much in a second; 0 is no limit (default: what config.yaml says)',
			parseBytes,
		)
		.option('--reason <text>', 'why, for the record')
		.action((source, { wait, maxRate, reason }) =>
			withSession(context, async ({ config, imports, broker }) => {
				await mustOpen(sourceIn(config, source));
				const { machine, places } = await sourceMeant(context, source, config);
				const started = await imports.start({ ...places, machine, maxRateBytes: rateOf(maxRate) }, reason);
				const read = readerOf({ imports, broker }, started);
				if (wait) return follow(source, read, context);
				const answer = await read().catch((error: unknown) => {
					throw startedUnseen(error, source);
				});
				context.output.result(answer, importText(answer));
			}),
		);

/** What a person has written wrong is told before anything is begun; the platform is asked nothing. */
export async function mustOpen(address: SourceAddress): Promise<void> {
	await (await openMachineSource(address)).close();
}

/** Null stands for what config.yaml says, so that none at all is one that nothing reaches. */
function rateOf(maxRate: number | undefined): number | null {
	if (maxRate === undefined) return null;
	return maxRate === 0 ? Number.MAX_SAFE_INTEGER : maxRate;
}

/** Who starts it again would be told that it is under way. */
function startedUnseen(error: unknown, source: string): unknown {
	if (!(error instanceof RouseError) || error.code !== 'worker_missing') return error;
	return new RouseError('worker_missing', `${error.message}; it is started, and goes on as soon as there is one`, {
		hint: `rouse up, then rouse backup watch ${source}`,
		cause: error,
	});
}
