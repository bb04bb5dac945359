import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { executeChild, ParentClosePolicy } from '@temporalio/workflow';
import type { ImportView } from '../model/import-view.ts';
import { searchAttributes, taskQueues } from './contracts.ts';
import { failureOf } from './failures.ts';
import {
	type ImportInput,
	type ImportMemo,
	importWorkflow,
	importWorkflowId,
	type ScheduledImportInput,
} from './import-contracts.ts';

/**
 * What a schedule starts: the import of a source. It lasts as long as that, so that Temporal sees whether the one before is over, and
 * fails when that has failed, so that a list tells it. One that a person has started goes on, and this one fails.
 */
export async function scheduledImport({ requestedBy, ...of }: ScheduledImportInput): Promise<ImportView> {
	const { source, repository, repositoryId, machine } = of;
	const memo: ImportMemo = { source, machine, repository, requestedBy, reason: 'by its schedule' };
	const args: [ImportInput] = [{ ...of, maxRateBytes: null }];
	try {
		const view: ImportView = await executeChild(importWorkflow, {
			workflowId: importWorkflowId(repositoryId, machine),
			taskQueue: taskQueues.control,
			args,
			memo,
			typedSearchAttributes: [
				{ key: searchAttributes.machine, value: machine },
				{ key: searchAttributes.phase, value: 'planning' },
				{ key: searchAttributes.owner, value: requestedBy },
			],
			parentClosePolicy: ParentClosePolicy.ABANDON,
			workflowIdReusePolicy: 'ALLOW_DUPLICATE',
			staticSummary: `${machine} from ${source}, by its schedule`,
		});
		if (view.failure !== null) throw failureOf(view.failure);
		return view;
	} catch (error) {
		if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
		throw failureOf({
			code: 'name_conflict',
			message: `an import of ${machine} is under way: it was not started a second time`,
		});
	}
}
