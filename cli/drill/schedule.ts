import type { DrillSchedule } from '../../client/drill/schedules.ts';
import { RouseError } from '../../model/errors.ts';
import { withSession } from '../recover/session.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatTable } from '../terminal/format.ts';
import { formatTime } from '../terminal/format-time.ts';
import { parseCron, parseName } from '../terminal/parse.ts';
import { planFile, readDrillFile } from './start.ts';

export const buildSchedule = (context: Context) =>
	command('schedule')
		.description('drill again and again, at times of UTC; one that is still under way is not started twice')
		.argument('<file>', 'as for drill start; it is kept as it is now, and `latest` is what is latest each time')
		.option('--cron <expression>', "when, as '0 3 * * 0': on Sundays at 3:00 UTC", parseCron)
		.option('--name <name>', 'name of the drill (default: what the file says)', parseName)
		.action(async (file, { cron, name }) => {
			if (cron === undefined)
				throw new RouseError('usage', '--cron says when', { hint: `rouse drill schedule ${file} --cron '0 3 * * 0'` });
			const text = await readDrillFile(file);
			await withSession(context, async session => {
				// What is wrong with it is wrong before its time comes.
				const { plan, warnings } = await planFile(text, { path: file, options: { name }, session, context });
				for (const warning of warnings) context.output.warn(warning);
				await session.drillSchedules.create(plan.batch.name, { file: text, cron });
				await show(() => session.drillSchedules.list({ made: plan.batch.name }), context);
			});
		})
		.addCommand(list(context))
		.addCommand(remove(context));

const list = (context: Context) =>
	command('list')
		.description('all schedules of drills')
		.action(() => withSession(context, ({ drillSchedules }) => show(() => drillSchedules.list(), context)));

const remove = (context: Context) =>
	command('remove')
		.description('drill no more by itself; one that is under way goes on')
		.argument('<name>', 'drill', parseName)
		.action(name =>
			withSession(context, async ({ drillSchedules }) => {
				await drillSchedules.remove(name);
				await show(() => drillSchedules.list(), context);
			}),
		);

async function show(look: () => Promise<DrillSchedule[]>, { output }: Context): Promise<void> {
	const found = await look();
	output.result({ schedules: found }, schedulesText(found, output.columns));
}

function schedulesText(schedules: readonly DrillSchedule[], columns?: number): string {
	if (schedules.length === 0) return "No schedules. Make one: rouse drill schedule FILE --cron '0 3 * * 0'";
	const time = (at: string | null) => (at === null ? '' : formatTime(at));
	return formatTable(
		['NAME', 'CRON (UTC)', 'NEXT', 'LAST', 'LEFT OUT', 'BY'],
		schedules.map(({ name, cron, nextAt, lastAt, skipped, requestedBy }) => [
			name,
			cron ?? '',
			time(nextAt),
			time(lastAt),
			skipped === null ? '' : String(skipped),
			requestedBy ?? '',
		]),
		columns,
	);
}
