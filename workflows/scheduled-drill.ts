import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { executeChild, ParentClosePolicy, proxyActivities } from '@temporalio/workflow';
import type { DrillActivities } from '../activities/drill-activities.ts';
import type { DrillView } from '../model/drill-view.ts';
import { planDrillOptions } from './activity-options.ts';
import { searchAttributes, taskQueues } from './contracts.ts';
import {
	type DrillInput,
	type DrillMemo,
	drillWorkflow,
	drillWorkflowId,
	type ScheduledDrillInput,
} from './drill-contracts.ts';
import { failureOf } from './failures.ts';

const { planScheduledDrill } = proxyActivities<DrillActivities>(planDrillOptions);

/**
 * What a schedule starts: the drill of a file, with the points that are latest now. It lasts as long as the drill, so that
 * Temporal sees whether the one before is over. One that a person has started goes on, and this one fails.
 */
export async function scheduledDrill(input: ScheduledDrillInput): Promise<DrillView> {
	const plan = await planScheduledDrill(input);
	const { name, items, requestedBy, reason } = plan.batch;
	const memo: DrillMemo = { name, machines: items.length, requestedBy, reason };
	const args: [DrillInput] = [{ plan }];
	try {
		const view: DrillView = await executeChild(drillWorkflow, {
			workflowId: drillWorkflowId(name),
			taskQueue: taskQueues.control,
			args,
			memo,
			typedSearchAttributes: [
				{ key: searchAttributes.phase, value: 'running' },
				{ key: searchAttributes.owner, value: requestedBy },
			],
			parentClosePolicy: ParentClosePolicy.ABANDON,
			workflowIdReusePolicy: 'ALLOW_DUPLICATE',
			staticSummary: `${items.length} machines, by its schedule`,
		});
		return view;
	} catch (error) {
		if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
		throw failureOf({ code: 'name_conflict', message: `drill ${name} is under way: it was not started a second time` });
	}
}
