import {
	continueAsNew,
	DeterminismViolationError,
	getExternalWorkflowHandle,
	isCancellation,
	log,
	proxyActivities,
	sleep,
	workflowInfo,
} from '@temporalio/workflow';
import * as z from 'zod';
import type { HostActivities } from '../activities/host-activities.ts';
import type { ErrorDocument } from '../model/errors.ts';
import { nameSchema } from '../model/names.ts';
import { owedUndoOptions } from './activity-options.ts';
import { parseAsked } from './ask-host.ts';
import { recoveryWorkflowId, taskQueues, undoneSignal } from './contracts.ts';
import { documentOf, failureOf } from './failures.ts';

/** After a failure that a person has to mend on the host. */
const againMs = 10 * 60_000;

const inputSchema = z.strictObject({
	hostId: z.uuid(),
	name: nameSchema,
	recoveryId: z.uuid(),
	generation: z.int().min(0),
});

/**
 * What a host may have of a recovery that has left it is undone there as soon as it answers, in a year if need be: this
 * outlives the recovery, which is told when nothing is left. Fails by the code of a host that knows better.
 */
export async function owedUndo(input: z.infer<typeof inputSchema>): Promise<void> {
	const owed = parseAsked(inputSchema, input);
	const { undo } = proxyActivities<Pick<HostActivities, 'undo'>>({
		...owedUndoOptions,
		taskQueue: taskQueues.host(owed.hostId),
	});
	for (;;) {
		const document = await undo({ ...owed, left: true }).then(() => undefined, refusalOf);
		if (document === undefined || knowsBetter(document)) {
			await tellRecovery(owed, document);
			if (document) throw failureOf(document);
			return;
		}
		log.warn('not undone yet', { ...document });
		await sleep(againMs);
		if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof owedUndo>(owed);
	}
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
	{ name, recoveryId, hostId, generation }: z.infer<typeof inputSchema>,
	refusal?: ErrorDocument,
): Promise<void> {
	const recovery = getExternalWorkflowHandle(recoveryWorkflowId(name));
	try {
		await recovery.signal(undoneSignal, { recoveryId, hostId, generation, ...(refusal ? { refusal } : {}) });
	} catch (error) {
		if (error instanceof DeterminismViolationError) throw error;
		log.info('its recovery is closed', { name });
	}
}
