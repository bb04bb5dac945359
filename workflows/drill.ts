import {
	allHandlersFinished,
	CancellationScope,
	condition,
	DeterminismViolationError,
	log,
	workflowInfo,
} from '@temporalio/workflow';
import * as z from 'zod';
import { itemRequest, planObjection } from '../model/batch-requests.ts';
import { type DrillPlan, drillLimits, drillPlanSchema } from '../model/drill.ts';
import type { DrillView } from '../model/drill-view.ts';
import { asRouseError, RouseError } from '../model/errors.ts';
import { refusalText } from '../model/issue-text.ts';
import { type DrillInput, drillWorkflowId } from './drill-contracts.ts';
import { takeDrillMessages } from './drill/messages.ts';
import { DrillRun } from './drill/run.ts';
import { documentOf, failureOf } from './failures.ts';
import { tickInTime } from './tick-in-time.ts';
import { nextTickMs } from './batch/tick.ts';

/**
 * Shows that machines come back from their backups, workflow id `drill/NAME`: docs/architecture.md, "A drill". Starts them as a
 * batch does, on a network of their own, tests each that is ready, and throws it away as soon as nobody who follows needs it.
 * Ends when the report is written and nothing is left of them.
 */
export async function drill(input: DrillInput): Promise<DrillView> {
	const run = new DrillRun(planOf(input), workflowInfo().startTime);
	takeDrillMessages(run);
	const cancelled = CancellationScope.current().cancelRequested.catch(() => run.cancel({ by: 'Temporal' }));
	void cancelled; // settles when the workflow is cancelled, or never
	// What was started is thrown away first: a cancellation is an order as any other.
	return CancellationScope.nonCancellable(async () => {
		void endInTime(run);
		void tickInTime(run.batch, () => nextTickMs(run.batch.state));
		await untilTried(run);
		// One that cannot be written keeps nothing from being thrown away.
		await Promise.all([run.writeReport().catch(notWritten), untilThrownAway(run)]);
		await run.writeReport();
		await condition(() => run.quiet && allHandlersFinished());
		return run.end();
	});
}

/** It is written once more when nothing is left. */
function notWritten(error: unknown): void {
	if (error instanceof DeterminismViolationError) throw error;
	log.warn('the report was not written', { ...documentOf(error) });
}

async function untilTried(run: DrillRun): Promise<void> {
	while (!run.isTried) await nextRound(run, () => run.isTried);
}

async function untilThrownAway(run: DrillRun): Promise<void> {
	while (!run.isThrownAway) await nextRound(run, () => run.isThrownAway);
}

async function nextRound(run: DrillRun, isOver: () => boolean): Promise<void> {
	run.goOn();
	await condition(() => run.dirty || isOver());
}

/** Three times what 200 machines come to; Temporal ends a workflow of 51,200 events or 50 MiB by force, and no report is written then. */
const longest = { events: 30_000, bytes: 30 * 1024 * 1024 } as const;

async function endInTime(run: DrillRun): Promise<void> {
	const { withinMs } = run.plan;
	const isLong = () => {
		const { historyLength, historySize } = workflowInfo();
		return historyLength > longest.events || historySize > longest.bytes;
	};
	const inTime = await condition(() => run.isTried || isLong(), withinMs);
	if (run.isTried) return;
	const reason = inTime
		? 'its history became too long'
		: `not all was tried within ${Math.round(withinMs / 60_000)} minutes`;
	run.cancel({ by: 'the drill', reason });
}

const inputSchema = z.strictObject({ plan: drillPlanSchema });

/** Whoever has the keys may start workflows by hand: one that is no drill fails at once, before it has started anything. */
function planOf(input: unknown): DrillPlan {
	const { workflowId } = workflowInfo();
	try {
		const parsed = inputSchema.safeParse(input);
		if (!parsed.success) throw refusal(`its input is none of a drill: ${refusalText(parsed.error)}`);
		const { plan } = parsed.data;
		if (workflowId !== drillWorkflowId(plan.batch.name))
			throw refusal(`the drill ${plan.batch.name} does not belong to it`);
		mustBeDisposable(plan);
		return plan;
	} catch (error) {
		const { code, message } = asRouseError(error);
		throw failureOf({ code, message: `workflow ${workflowId}: ${message}` });
	}
}

/** Each of its recoveries says itself that it is this drill's, so that nothing else can ever be thrown away by it. */
function mustBeDisposable({ batch }: DrillPlan): void {
	const objection = planObjection(batch);
	if (objection !== undefined) throw refusal(objection);
	if (batch.items.length > drillLimits.machines)
		throw refusal(`${batch.items.length} machines, and a drill takes ${drillLimits.machines}`);
	for (const item of batch.items)
		if (itemRequest(batch, item).drill?.name !== batch.name) throw refusal(`the request of ${item.name} is none of it`);
}

function refusal(message: string): RouseError {
	return new RouseError('input_invalid', message);
}
