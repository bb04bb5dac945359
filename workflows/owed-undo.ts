import {
	CancellationScope,
	DeterminismViolationError,
	getExternalWorkflowHandle,
	isCancellation,
	log,
	makeContinueAsNewFunc,
	proxyActivities,
	setHandler,
	sleep,
	workflowInfo,
} from '@temporalio/workflow';
import * as z from 'zod';
import type { HostActivities } from '../activities/host-activities.ts';
import type { ErrorDocument } from '../model/errors.ts';
import { nameSchema } from '../model/names.ts';
import { owedUndoOptions } from './activity-options.ts';
import { parseAsked } from './ask-host.ts';
import { type Asked, giveUpSignal, recoveryWorkflowId, taskQueues, undoneSignal } from './contracts.ts';
import { documentOf, failureOf } from './failures.ts';

/** After a failure that a person has to mend on the host. */
const againMs = 10 * 60_000;

const inputSchema = z.strictObject({
	hostId: z.uuid(),
	name: nameSchema,
	recoveryId: z.uuid(),
	generation: z.int().min(0),
});

type Owed = z.infer<typeof inputSchema>;

const askedSchema = z.strictObject({ by: z.string().max(100), reason: z.string().max(500).optional() });

/**
 * What a host may have of a recovery that has left it is undone there as soon as it answers, in a year if need be: this
 * outlives the recovery, which is told when nothing is left. Fails by the code of a host that knows better. Ends without
 * that when a person has given the host up.
 */
export async function owedUndo(input: Owed): Promise<void> {
	const owed = parseAsked(inputSchema, input);
	const waiting = new CancellationScope();
	let givenUp: Asked | undefined;
	setHandler(giveUpSignal, sent => {
		const { data } = askedSchema.safeParse(sent);
		if (!data) return log.warn('not understood who gives the host up');
		const { by, reason } = data;
		givenUp ??= reason === undefined ? { by } : { by, reason };
		return waiting.cancel();
	});
	let refusal: ErrorDocument | undefined;
	try {
		refusal = await waiting.run(() => untilUndone(owed));
	} catch (error) {
		if (givenUp === undefined || !isCancellation(error)) throw error;
		return tellRecovery(owed, { givenUp });
	}
	await tellRecovery(owed, refusal ? { refusal } : {});
	if (refusal) throw failureOf(refusal);
}

/** Why a host that knows better does not. */
async function untilUndone(owed: Owed): Promise<ErrorDocument | undefined> {
	const { undo } = proxyActivities<Pick<HostActivities, 'undo'>>({
		...owedUndoOptions,
		taskQueue: taskQueues.host(owed.hostId),
	});
	for (;;) {
		const document = await undo({ ...owed, left: true }).then(() => undefined, refusalOf);
		if (document === undefined || knowsBetter(document)) return document;
		log.warn('not undone yet', { ...document });
		await sleep(againMs);
		if (workflowInfo().continueAsNewSuggested) await goOn(owed);
	}
}

function goOn(owed: Owed): Promise<never> {
	const { memo } = workflowInfo();
	return makeContinueAsNewFunc<typeof owedUndo>(memo ? { memo } : {})(owed);
}

/** It was powered on there, or has come back since: nothing of it may be removed. */
function knowsBetter({ code }: ErrorDocument): boolean {
	return code === 'power_on_scheduled' || code === 'generation_stale';
}

function refusalOf(error: unknown): ErrorDocument {
	if (error instanceof DeterminismViolationError || isCancellation(error)) throw error;
	return documentOf(error);
}

/** One that is closed needs no word: its broker asks the host itself what became of the lease. */
async function tellRecovery(
	{ name, recoveryId, hostId, generation }: Owed,
	how: { refusal?: ErrorDocument; givenUp?: Asked },
): Promise<void> {
	const recovery = getExternalWorkflowHandle(recoveryWorkflowId(name));
	try {
		await recovery.signal(undoneSignal, { recoveryId, hostId, generation, ...how });
	} catch (error) {
		if (error instanceof DeterminismViolationError) throw error;
		log.info('its recovery is closed', { name });
	}
}
