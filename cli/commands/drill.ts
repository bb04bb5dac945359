import { buildCancel } from '../drill/cancel.ts';
import { buildLooks } from '../drill/looks.ts';
import { buildReport } from '../drill/report.ts';
import { buildSchedule } from '../drill/schedule.ts';
import { buildStart } from '../drill/start.ts';
import { buildWatch } from '../drill/watch.ts';
import { type Context, command } from '../terminal/command.ts';

export const build = (context: Context) => {
	const drill = command('drill').description('prove backups: start machines alone, test them, throw them away');
	for (const verb of [
		buildStart(context),
		...buildLooks(context),
		buildWatch(context),
		buildCancel(context),
		buildReport(context),
		buildSchedule(context),
	])
		drill.addCommand(verb);
	return drill;
};
