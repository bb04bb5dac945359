import { buildLooks } from '../batch/looks.ts';
import { buildOrders } from '../batch/orders.ts';
import { buildStart } from '../batch/start.ts';
import { buildWatch } from '../batch/watch.ts';
import { type Context, command } from '../terminal/command.ts';

export const build = (context: Context) => {
	const batch = command('batch').description('bring back many machines, in order');
	for (const verb of [buildStart(context), ...buildLooks(context), buildWatch(context), ...buildOrders(context)])
		batch.addCommand(verb);
	return batch;
};
