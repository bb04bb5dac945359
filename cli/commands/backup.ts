import { buildCancel } from '../backup/source/cancel.ts';
import { buildPlan } from '../backup/source/plan.ts';
import { buildSchedule } from '../backup/source/schedule.ts';
import { buildStart } from '../backup/source/start.ts';
import { buildStatus, buildWatch } from '../backup/source/status.ts';
import { buildExport } from '../backup/export.ts';
import { buildImport } from '../backup/import.ts';
import { buildList, buildShow } from '../backup/list.ts';
import { buildVerify } from '../backup/verify.ts';
import { type Context, command } from '../terminal/command.ts';

export const build = (context: Context) => {
	const backup = command('backup').description(
		'restore points: made of files and of machines where they run, listed, verified, exported',
	);
	const verbs = [
		buildImport(context),
		buildStart(context),
		buildPlan(context),
		buildStatus(context),
		buildWatch(context),
		buildCancel(context),
		buildSchedule(context),
		buildList(context),
		buildShow(context),
		buildVerify(context),
		buildExport(context),
	];
	for (const verb of verbs) backup.addCommand(verb);
	return backup;
};
