import * as z from 'zod';
import { type BatchPlan, batchPlanSchema } from '../../model/batch.ts';
import type { BatchView } from '../../model/batch-view.ts';
import { RouseError } from '../../model/errors.ts';
import { batchViewQuery, batchWorkflow, batchWorkflowId } from '../../workflows/batch-contracts.ts';
import type { NamedWorkflows, WorkflowKind } from '../named-workflows.ts';

export type BatchWorkflows = NamedWorkflows<string, BatchView>;

export const batchKind: WorkflowKind<string, BatchView> = {
	type: batchWorkflow,
	id: batchWorkflowId,
	viewQuery: batchViewQuery,
	called: name => `batch ${name}`,
	details: name => ({ batch: name }),
	unknown: (name, cause) =>
		new RouseError('batch_unknown', `there is no batch ${name}`, { details: { batch: name }, cause }),
};

const inputSchema = z.object({ plan: batchPlanSchema });

/** What it was told to do; `batch_unknown`, and `protocol` of one that another version has started. */
export async function readPlan(workflows: BatchWorkflows, name: string): Promise<BatchPlan> {
	const { workflowService, options } = workflows.client;
	const { history } = await workflows.call(name, () =>
		workflowService.getWorkflowExecutionHistory({
			namespace: options.namespace,
			execution: { workflowId: batchWorkflowId(name) },
			maximumPageSize: 1,
		}),
	);
	const [payload] = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
	const { data } = inputSchema.safeParse(payload && workflows.all.read(payload));
	if (data) return data.plan;
	throw new RouseError('protocol', `what batch ${name} was told to do cannot be read here`, {
		hint: 'it was sealed by a key that is not here, or started by another version',
		details: { batch: name },
	});
}
