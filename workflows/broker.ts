import { allHandlersFinished, CancellationScope, condition, continueAsNew } from '@temporalio/workflow';
import * as z from 'zod';
import { reporterSchema } from '../model/broker.ts';
import { RouseError } from '../model/errors.ts';
import { refusalText } from '../model/issue-text.ts';
import type { BrokerInput } from './broker-contracts.ts';
import { dehydrate } from './broker/dehydrate.ts';
import { takeOrders } from './broker/orders.ts';
import { rehydrate } from './broker/rehydrate.ts';
import { BrokerRun } from './broker/run.ts';
import { type BrokerState, emptyBroker } from './broker/state.ts';
import { nextTickMs } from './broker/tick.ts';
import { tickInTime } from './tick-in-time.ts';
import { untilRunIsOver } from './worker-build.ts';

/**
 * Shares out a site's resources, for ever: docs/architecture.md, "The broker". It cannot be cancelled, since what it has
 * granted is held whether it runs or not.
 */
export async function broker(input: BrokerInput): Promise<void> {
	const run = new BrokerRun(stateOf(input));
	takeOrders(run);
	await CancellationScope.nonCancellable(() => runOn(run, input));
}

async function runOn(run: BrokerRun, { reporters }: BrokerInput): Promise<void> {
	const underWay = [run.rebuild(), tickInTime(run, () => nextTickMs(run.state))];
	const isOver = untilRunIsOver();
	while (!isOver()) {
		if (run.dirty) run.happens({ type: 'tick' });
		// Without a timer, so that a message costs no events of one.
		await condition(() => run.dirty || isOver());
	}
	// These two end with the run, and begin anew with the next.
	void underWay;
	await condition(() => run.quiet && allHandlersFinished());
	await continueAsNew<typeof broker>({ reporters, state: dehydrate(run.state) });
}

/** Thrown as it is, what is wrong fails the workflow task and not the broker: a newer worker may know how to go on. */
function stateOf(input: unknown): BrokerState {
	const parsed = z.strictObject({ reporters: z.array(reporterSchema), state: z.unknown().optional() }).safeParse(input);
	if (!parsed.success) throw new RouseError('input_invalid', `a broker's input: ${refusalText(parsed.error)}`);
	const { reporters, state } = parsed.data;
	return state === undefined ? emptyBroker(Date.now(), reporters) : rehydrate(state);
}
