import {
	allHandlersFinished,
	CancellationScope,
	condition,
	makeContinueAsNewFunc,
	workflowInfo,
} from '@temporalio/workflow';
import * as z from 'zod';
import { type BatchPlan, batchPlanSchema } from '../model/batch.ts';
import { itemRequest, planObjection } from '../model/batch-requests.ts';
import type { BatchView } from '../model/batch-view.ts';
import { asRouseError, RouseError } from '../model/errors.ts';
import { refusalText } from '../model/issue-text.ts';
import { type BatchInput, batchWorkflowId } from './batch-contracts.ts';
import { dehydrate } from './batch/dehydrate.ts';
import { layoutOf } from './batch/layout.ts';
import { askedFields, foundField, takeMessages } from './batch/messages.ts';
import { rehydrate } from './batch/rehydrate.ts';
import { BatchRun } from './batch/run.ts';
import { emptyBatch } from './batch/state.ts';
import { nextTickMs } from './batch/tick.ts';
import { viewOf } from './batch/view.ts';
import { failureOf } from './failures.ts';
import { tickInTime } from './tick-in-time.ts';
import { untilRunIsOver } from './worker-build.ts';

/**
 * Brings back many machines, workflow id `batch/NAME`: docs/architecture.md, "A batch". Ends when nothing is left to start
 * and every machine that was started is ready, parked or at its end.
 */
export async function batch(input: BatchInput): Promise<BatchView> {
	const run = begin(input);
	takeMessages(run);
	const cancelled = CancellationScope.current().cancelRequested.catch(() =>
		run.happens({ type: 'cancel', asked: { by: 'Temporal' } }),
	);
	void cancelled; // settles when the workflow is cancelled, or never
	// What was started goes on, and what is asked is answered: a cancellation is an order as any other.
	return CancellationScope.nonCancellable(() => runOn(run, input));
}

async function runOn(run: BatchRun, input: BatchInput): Promise<BatchView> {
	const isOver = () => run.state.endedMs !== null;
	const isRunOver = untilRunIsOver();
	void tickInTime(run, () => nextTickMs(run.state)); // ends with the run, and begins anew with the next
	while (!isOver() && !isRunOver()) {
		if (run.dirty) run.happens({ type: 'tick' });
		// Without a timer, so that news costs no events of one.
		await condition(() => run.dirty || isOver() || isRunOver());
	}
	await condition(() => run.quiet && allHandlersFinished());
	if (isOver()) return viewOf(run.layout, run.state);
	// The order is in the state, and the names that it may have would take the room of that.
	const { order: _carriedOut, ...next } = input;
	return goOn({ ...next, state: dehydrate(run.state) });
}

function goOn(next: BatchInput): Promise<never> {
	const { memo, typedSearchAttributes } = workflowInfo();
	const more = { ...(memo ? { memo } : {}), typedSearchAttributes };
	return makeContinueAsNewFunc<(input: BatchInput) => Promise<BatchView>>(more)(next);
}

const inputSchema = z.strictObject({
	plan: batchPlanSchema,
	again: z.boolean().optional(),
	order: z
		.strictObject({
			...askedFields,
			is: z.enum(['retry', 'discard']),
			found: foundField.optional(),
			again: foundField.optional(),
		})
		.optional(),
	state: z.unknown().optional(),
});

function begin(input: BatchInput): BatchRun {
	if (input.state === undefined) mustBeBatch(input);
	const { plan, again = false, order, state } = input;
	const layout = layoutOf(plan);
	// What is wrong with a state fails the workflow task and not the batch: a newer worker may know how to go on.
	if (state !== undefined) return new BatchRun(layout, rehydrate(state, layout), { again });
	const run = new BatchRun(layout, emptyBatch(plan.items, workflowInfo().startTime.getTime()), { again });
	if (order) {
		const { is, found = [], again: anew = [], ...asked } = order;
		run.happens(is === 'retry' ? { type: is, asked, again: anew } : { type: is, asked, found });
	}
	return run;
}

/** Whoever has the keys may start workflows by hand: one that is no batch fails at once, before it has started anything. */
function mustBeBatch(input: unknown): void {
	const { workflowId } = workflowInfo();
	try {
		const parsed = inputSchema.safeParse(input);
		if (!parsed.success) throw refusal(`its input is none of a batch: ${refusalText(parsed.error)}`);
		const { plan } = parsed.data;
		if (workflowId !== batchWorkflowId(plan.name)) throw refusal(`the batch ${plan.name} does not belong to it`);
		mustBeComplete(plan);
	} catch (error) {
		const { code, message } = asRouseError(error);
		throw failureOf({ code, message: `workflow ${workflowId}: ${message}` });
	}
}

function mustBeComplete(plan: BatchPlan): void {
	const objection = planObjection(plan);
	if (objection !== undefined) throw refusal(objection);
	for (const item of plan.items) itemRequest(plan, item);
}

function refusal(message: string): RouseError {
	return new RouseError('input_invalid', message);
}
