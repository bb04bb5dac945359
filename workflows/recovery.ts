import { allHandlersFinished, CancellationScope, condition, uuid4, workflowInfo } from '@temporalio/workflow';
import * as z from 'zod';
import { nameSchema } from '../model/names.ts';
import { recoveryRequestSchema } from '../model/recovery.ts';
import { refusalText } from '../model/issue-text.ts';
import { abandon } from './abandon.ts';
import { adoptedState } from './adopted.ts';
import { type RecoveryInput, type RecoveryResult, recoveryWorkflowId } from './contracts.ts';
import { failureOf, Interruption } from './failures.ts';
import { ordersCarriedOut } from './host-orders.ts';
import { acquireLease } from './lease.ts';
import { takeLeases } from './lease-inbox.ts';
import { takeUndone } from './leave-host.ts';
import { BatchNews } from './news.ts';
import { takeOrders } from './orders.ts';
import { poweredOn, watchReadiness } from './readiness.ts';
import { Run } from './run.ts';
import { firstState, stateGoingOn, type WorkflowState } from './state.ts';
import {
	allocate,
	chooseHardware,
	createMachine,
	discard,
	finalize,
	finishAsOnHost,
	migrateChunks,
	pin,
	pinAgain,
	plan,
	powerOn,
	snapshot,
	startMovers,
	switchToTarget,
	untilMigrationIsWanted,
	untilSwitchIsWanted,
} from './steps.ts';
import { batchAtStart } from './told-batch.ts';
import { cancelledInTemporal, takeBackOnWish } from './take-back.ts';
import { allOrNothing } from './undo.ts';

/** All steps in their order: docs/architecture.md, "A recovery". */
async function allSteps(run: Run): Promise<RecoveryResult> {
	await allOrNothing(run, async () => {
		await plan(run);
		await acquireLease(run);
		await chooseHardware(run);
		await pin(run);
		await allocate(run);
		await createMachine(run);
		await startMovers(run);
		await snapshot(run);
	});
	await pinAgain(run);
	await powerOn(run);
	await untilMigrationIsWanted(run);
	await migrateChunks(run);
	await untilSwitchIsWanted(run);
	await switchToTarget(run);
	await ordersCarriedOut(run);
	return finalize(run);
}

/**
 * One recovery of one machine, workflow id `recovery/NAME`. Ends `finished`, `discarded` or `abandoned`, or fails, by a stable code and
 * only before power-on was scheduled. `state` is what an earlier run hands to this one, `input.adopt`
 * what the host knew when its workflow was lost.
 */
export async function recovery(input: RecoveryInput, state?: WorkflowState): Promise<RecoveryResult> {
	mustBeRecovery(input);
	const run = new Run(input, state ? stateGoingOn(input.request, state) : stateAtStart(input));
	takeOrders(run);
	takeLeases(run);
	takeUndone(run);
	const news = new BatchNews(run);
	poweredOn(run);
	takeBackOnWish(run);
	run.publish();
	const cancelled = CancellationScope.current().cancelRequested.catch(() => cancelledInTemporal(run));
	void cancelled; // settles when the workflow is cancelled, or never
	// What a cancellation means depends on the phase, so it is an order among others and cancels no step by itself.
	return CancellationScope.nonCancellable(async () => {
		const beside = [news.tell(), watchReadiness(run)];
		void beside; // they end with the run
		try {
			return await runToEnd(run, news);
		} finally {
			await news.told();
		}
	});
}

/**
 * Whoever has the keys may start workflows by hand. One whose input is none, or that has another name than its recovery, could
 * neither go on nor be ended by anybody's order: it fails at once, before it has done anything.
 */
function mustBeRecovery(input: unknown): void {
	const parsed = inputSchema.safeParse(input);
	const { workflowId } = workflowInfo();
	const why = parsed.success
		? workflowId === recoveryWorkflowId(parsed.data.request.name)
			? undefined
			: `the recovery ${parsed.data.request.name} does not belong to it`
		: `its input is none of a recovery: ${refusalText(parsed.error)}`;
	if (why !== undefined) throw failureOf({ code: 'input_invalid', message: `workflow ${workflowId}: ${why}` });
}

const inputSchema = z.looseObject({
	request: recoveryRequestSchema.refine(
		({ drill, policy }) => drill === undefined || policy.finish === 'manual',
		"a drill's machine is not copied to its host",
	),
	requestHash: z.string(),
	batch: nameSchema.optional(),
});

function stateAtStart({ request, batch, adopt }: RecoveryInput): WorkflowState {
	const startedAt = workflowInfo().startTime.toISOString();
	if (adopt) return adoptedState(request, adopt, startedAt);
	return { ...firstState(request, uuid4(), startedAt), batches: batchAtStart(batch) };
}

async function runToEnd(run: Run, news: BatchNews): Promise<RecoveryResult> {
	const { phase } = run.state;
	let course = phase === 'discarding' ? discard : phase === 'abandoning' ? abandon : allSteps;
	for (;;) {
		try {
			const result = await course(run);
			await condition(allHandlersFinished);
			return result;
		} catch (error) {
			if (!(error instanceof Interruption)) throw error;
			if (error.why === 'renew') {
				await news.told();
				return run.renew();
			}
			course = error.why === 'finished' ? finishAsOnHost : error.why === 'abandon' ? abandon : discard;
		}
	}
}
