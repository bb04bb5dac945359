import { readBatch } from '../../client/batch/documents.ts';
import type { Why } from '../../client/orders.ts';
import { requireConfirmation } from '../recover/orders.ts';
import { type Session, withSession } from '../recover/session.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { batchAnswer, batchText } from './text.ts';

/** Orders to a batch: each is an Update of its workflow, recorded with who gave it and why. */
export const buildOrders = (context: Context) => [retry(context), cancel(context), discard(context)];

const reasonOption = ['--reason <text>', 'why, for the audit'] as const;

/** Gives the order, says how many machines it was for where that is known, and how the batch stands then. */
async function order(
	context: Context,
	name: string,
	{ reason }: { reason?: string | undefined },
	give: (session: Session, why: Why) => Promise<number | undefined | void>,
): Promise<void> {
	await withSession(context, async session => {
		const machines = await give(session, reason === undefined ? {} : { reason });
		const answer = batchAnswer(await readBatch(session, name));
		const told = machines === undefined ? {} : { machines };
		context.output.result({ ...answer, ...told }, batchText(answer, context.output.columns));
	});
}

const retry = (context: Context) =>
	command('retry')
		.description('once more what failed, was refused or left out, and go on with what is parked; nothing else')
		.argument('<name>', 'batch', parseName)
		.option(...reasonOption)
		.action((name, options) => order(context, name, options, (s, why) => s.batches.retry(name, why)));

const cancel = (context: Context) =>
	command('cancel')
		.description('start nothing more of it; what was started goes on')
		.argument('<name>', 'batch', parseName)
		.option(...reasonOption)
		.action((name, options) => order(context, name, options, (s, why) => s.batches.cancel(name, why)));

const discard = (context: Context) =>
	command('discard')
		.description('throw all its machines and all that their guests wrote away, for good; finished ones stay')
		.argument('<name>', 'batch', parseName)
		.requiredOption('--confirm <name>', 'the name again: there is no way back')
		.option(...reasonOption)
		.action((name, options) => {
			requireConfirmation(name, options.confirm);
			const { confirm } = options;
			return order(context, name, options, (s, why) => s.batches.discard(name, { ...why, confirm }));
		});
