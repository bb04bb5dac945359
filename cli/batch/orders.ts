import { setTimeout as delay } from 'node:timers/promises';
import { type BatchDocument, readBatch } from '../../client/batch/documents.ts';
import type { Why } from '../../client/orders.ts';
import { endedByForce } from '../../client/phases.ts';
import { requireConfirmation } from '../recover/orders.ts';
import { type Session, withSession } from '../recover/session.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { parseNames } from './parse.ts';
import { batchAnswer, batchText } from './text.ts';
import { leftByDiscard, leftText } from './found-text.ts';
import { detached } from './watch.ts';

/** Orders to a batch: each is an Update of its workflow, recorded with who gave it and why. */
export const buildOrders = (context: Context) => [retry(context), cancel(context), discard(context)];

const reasonOption = ['--reason <text>', 'why, for the audit'] as const;

interface Given {
	reason?: string | undefined;
	untilOver?: boolean;
	/** What it leaves, because the batch only found it, is told. */
	discards?: boolean;
}

type Give = (session: Session, why: Why) => Promise<number | undefined | void>;

/** Gives the order, waits for its end when that is wanted, and says how the batch stands then. */
async function order(
	context: Context,
	name: string,
	{ reason, untilOver = false, discards = false }: Given,
	give: Give,
): Promise<void> {
	await withSession(context, async session => {
		const machines = await give(session, reason === undefined ? {} : { reason });
		const answer = batchAnswer(await (untilOver ? overBatch(session, name, context) : readBatch(session, name)));
		// One that was over is started again for it, and has yet to look what exists.
		const told = machines === undefined ? {} : { machines };
		const left = discards ? leftByDiscard(answer.items) : [];
		const text = [batchText(answer, context.output.columns), ...leftText(name, left)].join('\n');
		context.output.result({ ...answer, ...told, ...(discards ? { left: left.map(item => item.name) } : {}) }, text);
	});
}

async function overBatch(session: Session, name: string, context: Context): Promise<BatchDocument> {
	const progress = context.output.progress(name);
	try {
		for (;;) {
			const document = await readBatch(session, name);
			if (document.phase === 'over' || endedByForce(document.workflow)) return document;
			const done = document.counts.ended + document.counts.left_out + document.counts.refused;
			progress.update({ done, total: document.items.length, unit: 'machines' });
			await delay(1_000, undefined, { signal: context.signal });
		}
	} catch (error) {
		throw context.signal.aborted ? detached(name, context.signal) : error;
	} finally {
		progress.end();
	}
}

const retry = (context: Context) =>
	command('retry')
		.description('once more what failed, was refused or left out, and go on with what is parked; nothing else')
		.argument('<name>', 'batch', parseName)
		.option('--again <names>', 'also these, whose machines may be on a host: they may then run twice', parseNames)
		.option(...reasonOption)
		.action((name, options) =>
			order(context, name, options, (s, why) => s.batches.retry(name, { ...why, again: options.again ?? [] })),
		);

const cancel = (context: Context) =>
	command('cancel')
		.description('start nothing more of it; what was started goes on')
		.argument('<name>', 'batch', parseName)
		.option(...reasonOption)
		.action((name, options) => order(context, name, options, (s, why) => s.batches.cancel(name, why)));

const discard = (context: Context) =>
	command('discard')
		.description(
			'throw all machines that it has started and all that their guests wrote away, for good; finished ones stay',
		)
		.argument('<name>', 'batch', parseName)
		.requiredOption('--confirm <name>', 'the name again: there is no way back')
		.option('--found <names>', 'also these, which it found and did not start, as web01-r1,db01-r1', parseNames)
		.option(...reasonOption)
		.action((name, options) => {
			requireConfirmation(name, options.confirm);
			const { confirm, found = [] } = options;
			return order(context, name, { ...options, untilOver: true, discards: true }, (s, why) =>
				s.batches.discard(name, { ...why, confirm, found }),
			);
		});
