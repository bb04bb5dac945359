import { WorkflowNotFoundError, type WorkflowExecutionDescription, type WorkflowHandle } from '@temporalio/client';
import * as z from 'zod';
import { type BatchPlan, batchPlanSchema } from '../../model/batch.ts';
import { RouseError } from '../../model/errors.ts';
import { batchWorkflowId } from '../../workflows/batch-contracts.ts';
import type { TemporalClient } from '../connection.ts';
import { RecoveryWorkflows } from '../workflows.ts';

const inputSchema = z.object({ plan: batchPlanSchema });

/** The workflows of batches: every call to Temporal has a limit, and what it throws is one of our codes. */
export class BatchWorkflows {
	readonly client: TemporalClient['client'];
	readonly all: RecoveryWorkflows;

	constructor(temporal: TemporalClient) {
		this.client = temporal.client;
		this.all = new RecoveryWorkflows(temporal);
	}

	handle(name: string): WorkflowHandle {
		return this.client.workflow.getHandle(batchWorkflowId(name));
	}

	/** Temporal's "already started" comes through as it is; `batch_unknown` when there is none of that name. */
	async call<T>(name: string, call: () => Promise<T>): Promise<T> {
		try {
			return await this.all.call(undefined, call);
		} catch (error) {
			throw error instanceof WorkflowNotFoundError ? batchUnknown(name) : error;
		}
	}

	async find(name: string): Promise<WorkflowExecutionDescription | undefined> {
		try {
			return await this.call(name, () => this.handle(name).describe());
		} catch (error) {
			if (error instanceof RouseError && error.code === 'batch_unknown') return undefined;
			throw error;
		}
	}

	/** What it was told to do; `batch_unknown`, and `protocol` of one that another version has started. */
	async plan(name: string): Promise<BatchPlan> {
		const { workflowService, options } = this.client;
		const { history } = await this.call(name, () =>
			workflowService.getWorkflowExecutionHistory({
				namespace: options.namespace,
				execution: { workflowId: batchWorkflowId(name) },
				maximumPageSize: 1,
			}),
		);
		const [payload] = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
		const { data } = inputSchema.safeParse(payload && this.all.read(payload));
		if (data) return data.plan;
		throw new RouseError('protocol', `what batch ${name} was told to do cannot be read here`, {
			hint: 'it was sealed by a key that is not here, or started by another version',
			details: { batch: name },
		});
	}
}

export function batchUnknown(name: string): RouseError {
	return new RouseError('batch_unknown', `there is no batch ${name}`, { details: { batch: name } });
}
