import { buildExport } from '../backup/export.ts';
import { buildImport } from '../backup/import.ts';
import { buildList, buildShow } from '../backup/list.ts';
import { buildVerify } from '../backup/verify.ts';
import { type Context, command } from '../terminal/command.ts';

export const build = (context: Context) => {
	const backup = command('backup').description('restore points: import, list, show, verify and export');
	const verbs = [
		buildImport(context),
		buildList(context),
		buildShow(context),
		buildVerify(context),
		buildExport(context),
	];
	for (const verb of verbs) backup.addCommand(verb);
	return backup;
};
