/** A host of a pool that does not answer before power-on is left: docs/architecture.md, "A host that is left". */
import {
	DeterminismViolationError,
	getExternalWorkflowHandle,
	log,
	ParentClosePolicy,
	setHandler,
	startChild,
	workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import * as z from 'zod';
import { requestIdOf } from '../model/broker.ts';
import { errorDocumentSchema } from '../model/error-document.ts';
import type { HostStepInput } from '../model/activity-inputs.ts';
import { brokerWorkflowId, hostAwaySignal } from './broker-contracts.ts';
import { type OwedUndoMemo, owedUndoWorkflow, owedUndoWorkflowId, taskQueues, undoneSignal } from './contracts.ts';
import { kindOf, leaseHeld } from './lease-state.ts';
import { tellRelease, withdraw } from './leases.ts';
import { park } from './parking.ts';
import type { Run } from './run.ts';

/**
 * From here on the host is owed an undo: whatever it may have, and whatever comes to it late, was asked below this
 * generation. The lease goes with that, and comes back when the host has said that nothing is left.
 */
export async function leaveHost(run: Run): Promise<void> {
	const { state, request } = run;
	const { host } = request;
	const undo = run.nextInput();
	const lease = leaseHeld(state.leases, 'run') ?? null;
	state.leases.held = state.leases.held.filter(held => held !== lease);
	state.owed.push({ host, hostId: undo.hostId, generation: undo.generation, lease, refusal: null });
	log.warn('a host that does not answer is left', { host, generation: undo.generation });
	await Promise.all([startUndo(host, undo), tellAway(host)]);
}

/** Of this very leave: once more after a history that was put back, it is the same. */
async function startUndo(host: string, undo: HostStepInput): Promise<void> {
	try {
		await startChild(owedUndoWorkflow, {
			workflowId: owedUndoWorkflowId(host, undo),
			taskQueue: taskQueues.control,
			args: [undo],
			parentClosePolicy: ParentClosePolicy.ABANDON,
			memo: { since: new Date().toISOString() } satisfies OwedUndoMemo,
			staticSummary: `what ${host} may have of recovery ${undo.name}`,
		});
	} catch (error) {
		if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
	}
}

/** So that nobody else is sent there. */
async function tellAway(host: string): Promise<void> {
	try {
		const seenBy = workflowInfo().workflowId;
		await getExternalWorkflowHandle(brokerWorkflowId).signal(hostAwaySignal, { host, seenBy });
	} catch (error) {
		if (error instanceof DeterminismViolationError) throw error;
		log.info('no broker is there to hear of a host that is away', { host });
	}
}

/**
 * A host that was left may have the machine: the history was put back, and it is further. True when nothing is powered on
 * elsewhere, nor taken back, before somebody has looked.
 */
export function parkIfElsewhere(run: Run): boolean {
	const { state } = run;
	const known = state.owed.find(({ refusal }) => refusal !== null);
	if (!known?.refusal) return false;
	state.owed = state.owed.filter(each => each !== known);
	park(run, known.refusal);
	return true;
}

/**
 * No other host is left to ask: what this one has is all there is. It has its place there again, where a person lets it go on
 * or ends it.
 */
export function parkWhereItIs(run: Run): boolean {
	const { state } = run;
	const known = state.owed.find(({ refusal }) => refusal !== null);
	if (!known) return false;
	const { host, hostId, lease } = known;
	state.place = { host, hostId };
	if (lease) state.leases.held.push(lease);
	return parkIfElsewhere(run);
}

const askedSchema = z.object({ by: z.string().max(100), reason: z.string().max(500).optional() });

const undoneSchema = z.object({
	recoveryId: z.uuid(),
	hostId: z.uuid(),
	generation: z.int(),
	refusal: errorDocumentSchema.optional(),
	givenUp: askedSchema.optional(),
});

/** Set before the first await, as all handlers. */
export function takeUndone(run: Run): void {
	setHandler(undoneSignal, async sent => {
		const told = undoneSchema.safeParse(sent).data;
		if (told?.recoveryId === run.state.recoveryId) await undone(run, told);
	});
}

async function undone(run: Run, { hostId, generation, refusal, givenUp }: z.infer<typeof undoneSchema>): Promise<void> {
	const { state } = run;
	const owed = state.owed.find(each => each.hostId === hostId && each.generation === generation);
	if (!owed) return;
	if (refusal) {
		log.warn('a host that was left knows better', { host: owed.host, ...refusal });
		owed.refusal = { ...refusal, message: `host ${owed.host}, which was left: ${refusal.message}` };
		// Too late to keep the machine from being powered on here too: a person is to know before anything else is done.
		if (state.powerScheduled && state.phase !== 'discarding' && state.phase !== 'abandoning') {
			parkIfElsewhere(run);
			run.reconsider();
		}
		return;
	}
	state.owed = state.owed.filter(each => each !== owed);
	// Nobody knows what it has, so it is never asked again.
	if (givenUp) state.leases.refusals.push({ host: owed.host, code: 'worker_missing', message: givenUpText(givenUp) });
	run.publish();
	if (owed.lease) await tellRelease({ requestId: requestIdOf(owed.lease.request), stays: null });
	// It may be had at once, where the others are full.
	const { asking } = state.leases;
	if (!givenUp && asking && kindOf(asking) === 'run' && !asking.hosts.includes(owed.host)) await withdraw(run);
}

function givenUpText({ by, reason }: z.infer<typeof askedSchema>): string {
	return `it was left, and given up by ${by}${reason ? `: ${reason}` : ''}`;
}
