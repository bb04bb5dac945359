import { buildAdopt } from '../recover/adopt.ts';
import { buildConsole } from '../recover/console.ts';
import { buildOrders } from '../recover/orders.ts';
import { buildList, buildShow } from '../recover/show.ts';
import { buildStart } from '../recover/start.ts';
import { buildWatch } from '../recover/watch.ts';
import { type Context, command } from '../terminal/command.ts';

export const build = (context: Context) => {
	const recover = command('recover').description('start machines from their backups, and see them through');
	const looks = [buildList(context), buildShow(context), buildWatch(context)];
	for (const verb of [
		buildStart(context),
		...looks,
		...buildOrders(context),
		buildAdopt(context),
		buildConsole(context),
	])
		recover.addCommand(verb);
	return recover;
};
