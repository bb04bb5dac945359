import { type Context, command } from '../terminal/command.ts';
import { buildConsole } from '../recover/console.ts';
import { buildLooks } from '../recover/show.ts';
import { buildOrders } from '../recover/orders.ts';
import { buildStart } from '../recover/start.ts';

export const build = (context: Context) => {
	const recover = command('recover').description('start machines from their backups, and see them through');
	for (const verb of [buildStart(context), ...buildLooks(context), ...buildOrders(context), buildConsole(context)])
		recover.addCommand(verb);
	return recover;
};
