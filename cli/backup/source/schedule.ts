import { InvalidArgumentError } from '@commander-js/extra-typings';
import type { ImportSchedule, ImportTimes } from '../../../client/import-schedules.ts';
import { RouseError } from '../../../model/errors.ts';
import { terminalLine } from '../../../system/terminal-text.ts';
import { sourceIn } from '../../../system/machine-sources.ts';
import { withSession } from '../../recover/session.ts';
import { type Context, command } from '../../terminal/command.ts';
import { formatTable } from '../../terminal/format.ts';
import { formatTime } from '../../terminal/format-time.ts';
import { parseCron, parseDuration, parseName } from '../../terminal/parse.ts';
import { sourceMeant } from './meant.ts';
import { mustOpen } from './start.ts';

/** An import asks its platform for a moment of all disks, and reads facts of points: more often is a mistake of a unit. */
const leastEveryMs = 5 * 60_000;

export const buildSchedule = (context: Context) =>
	command('schedule')
		.description('back up again and again by itself; one that is still under way is not started twice')
		.addCommand(add(context))
		.addCommand(list(context))
		.addCommand(remove(context));

const add = (context: Context) =>
	command('add')
		.description('back a source up again and again')
		.argument('<source>', 'its name under sources of config.yaml', parseName)
		.option('--every <duration>', 'as 4h or 1d, counted from midnight UTC', parseEvery)
		.option('--cron <expression>', "when, as '0 3 * * 1-5': at 3:00 UTC on weekdays", parseCron)
		.action(async (source, { every, cron }) => {
			const chosen = chosenTimes(source, { every, cron });
			await withSession(context, async ({ config, importSchedules }) => {
				await mustOpen(sourceIn(config, source));
				const { machine, places } = await sourceMeant(context, source, config);
				await importSchedules.create({ ...places, machine }, chosen);
				await show(() => importSchedules.list({ made: source }), context);
			});
		});

const list = (context: Context) =>
	command('list')
		.description('all schedules of backups, how the last of each ended, and how many were left out')
		.action(() => withSession(context, ({ importSchedules }) => show(() => importSchedules.list(), context)));

const remove = (context: Context) =>
	command('remove')
		.description('back up no more by itself; a backup that is under way goes on')
		.argument('<source>', 'its name, also when config.yaml has it no more', parseName)
		.action(source =>
			withSession(context, async ({ importSchedules }) => {
				await importSchedules.remove(source);
				await show(() => importSchedules.list(), context);
			}),
		);

interface Written {
	text: string;
	ms: number;
}

function parseEvery(text: string): Written {
	const ms = parseDuration(text);
	if (ms < leastEveryMs) throw new InvalidArgumentError(`"${text}": 5m is the least.`);
	return { text, ms };
}

function chosenTimes(
	source: string,
	{ every, cron }: { every: Written | undefined; cron: string | undefined },
): { times: ImportTimes; when: string } {
	if (every !== undefined && cron === undefined) return { times: { everyMs: every.ms }, when: `every ${every.text}` };
	if (cron !== undefined && every === undefined) return { times: { cron }, when: cron };
	throw new RouseError('usage', 'either --every or --cron says when', {
		hint: `rouse backup schedule add ${source} --every 4h`,
	});
}

async function show(look: () => Promise<ImportSchedule[]>, { output }: Context): Promise<void> {
	const found = await look();
	output.result({ schedules: found }, schedulesText(found, output.columns));
}

export function schedulesText(schedules: readonly ImportSchedule[], columns?: number): string {
	if (schedules.length === 0) return 'No schedules. Make one: rouse backup schedule add SOURCE --every 4h';
	const time = (at: string | null) => (at === null ? '' : formatTime(at));
	const table = formatTable(
		['SOURCE', 'WHEN (UTC)', 'NEXT', 'LAST', 'IT IS', 'LEFT OUT', 'MISSED', 'BY'],
		schedules.map(({ source, when, nextAt, lastAt, last, skipped, missed, requestedBy }) => [
			source,
			when ?? '',
			time(nextAt),
			time(lastAt),
			last ?? '',
			String(skipped),
			String(missed),
			requestedBy ?? '',
		]),
		columns,
	);
	return [table, ...schedules.flatMap(failureLines)].join('\n');
}

function failureLines({ source, failure }: ImportSchedule): string[] {
	if (failure === null) return [];
	const { code, message, hint } = failure;
	return [
		terminalLine(`${source} failed: ${code}: ${message}`),
		...(hint === undefined ? [] : [terminalLine(`  ${hint}`)]),
		`  Next, when that is mended: rouse backup start ${source}`,
	];
}
