import { CancellationScope, condition, DeterminismViolationError, isCancellation } from '@temporalio/workflow';
import { shortMessage } from '../model/incidents.ts';
import { isForwarded, type Readiness, type ReadinessAnswer } from '../model/readiness.ts';
import type { RecoveryRequest } from '../model/recovery.ts';
import { documentOf, Interruption } from './failures.ts';
import type { Run } from './run.ts';
import type { WorkflowState } from './state.ts';

/** What a machine is asked before it counts as ready; undefined: it is that when it is powered on, or is not to be. */
function wantedOf({ powerOn, readiness }: RecoveryRequest): Readiness | undefined {
	return powerOn ? readiness : undefined;
}

/**
 * Once the machine is powered on, by this run or an earlier one: without a check it is ready, with one its time begins. One
 * that an earlier run has begun goes on with what is left.
 */
export function poweredOn(run: Run): void {
	const { request, state } = run;
	if (!run.isDone('powerOn') || state.readiness.is !== 'waiting' || isLeaving(state)) return;
	const wanted = wantedOf(request);
	if (!wanted) settle(state, { ready: true, code: null, reason: null });
	else state.readiness.until ??= new Date(Date.now() + wanted.timeoutMs).toISOString();
}

/**
 * Beside the steps, and in nobody's way: has the host ask the machine until it is ready or its time is over. Left when the
 * machine is to be thrown away or its host given up; then nobody asks any more.
 */
export async function watchReadiness(run: Run): Promise<void> {
	const wanted = wantedOf(run.request);
	const { state } = run;
	const { readiness } = state;
	if (!wanted) return;
	await condition(() => readiness.until !== null || isLeaving(state));
	if (readiness.is !== 'waiting') return;
	const asking = new CancellationScope();
	void condition(() => isLeaving(state)).then(() => asking.cancel());
	const leftMs = Math.max(1_000, Date.parse(readiness.until ?? '') - Date.now());
	try {
		if (!isLeaving(state)) await asking.run(() => askAndSettle(run, { ...wanted, timeoutMs: leftMs }));
	} catch (error) {
		if (error instanceof DeterminismViolationError) throw error;
		const { code, message } = documentOf(error);
		if (!isCancellation(error)) settle(state, { ready: false, code, reason: message });
	}
	if (readiness.is === 'waiting') readiness.until = null;
	else run.publish();
}

async function askAndSettle(run: Run, wanted: Readiness): Promise<void> {
	const forwarded = isForwarded(wanted.check, run.request.forwards);
	const answer = await run.host.checkReadiness({ ...run.sameInput(), ...wanted, forwarded });
	const answeredAt = new Date();
	// Before anybody is told: whoever waits for the machine of a drill discards it then.
	if (answer.ready && run.request.drill) await keepFirstReads(run);
	settle(run.state, answer, answeredAt);
}

/** The drill stands whatever comes of it: what its machine has read before is then all that the next recovery knows. */
async function keepFirstReads(run: Run): Promise<void> {
	for (;;) {
		const input = run.sameInput();
		try {
			await run.host.keepFirstReads(input);
			return;
		} catch (error) {
			if (error instanceof DeterminismViolationError || isCancellation(error)) throw error;
			if (!run.wasOvertaken(error, input)) return; // its failure is in the history, and in the audit
		}
	}
}

function settle(state: WorkflowState, { ready, code, reason }: ReadinessAnswer, at = new Date()): void {
	Object.assign(state.readiness, {
		is: ready ? 'ready' : 'not_ready',
		code,
		reason: reason === null ? null : shortMessage(reason),
	});
	if (ready) state.timings.readyAt = at.toISOString();
}

/**
 * A small machine stands on its own disks before its guest has come up: whoever waits for it to be ready must not take its
 * end for that. A cancellation ends the waiting.
 */
export async function untilReadinessIsSettled(run: Run): Promise<void> {
	const { readiness } = run.state;
	const isAsked = () => readiness.is === 'waiting' && readiness.until !== null;
	try {
		if (!isAsked()) return;
		run.publish(); // for hours, maybe: its leases went back, and a broker that comes up reads them in the memo
		await run.waitUntil(() => !isAsked());
	} catch (error) {
		if (!(error instanceof Interruption && error.why === 'cancel')) throw error;
	}
}

function isLeaving({ phase }: WorkflowState): boolean {
	return ['discarding', 'abandoning', 'failed', 'discarded', 'abandoned'].includes(phase);
}
