import {
	type Client,
	isGrpcDeadlineError,
	isGrpcServiceError,
	ServiceError,
	WorkflowNotFoundError,
} from '@temporalio/client';
import type { FoundWorkflow, SiteWorkflows } from '../activities/broker/site-workflows.ts';
import { RouseError } from '../model/errors.ts';
import {
	acquireSignal,
	type BrokerInput,
	brokerWorkflow,
	brokerWorkflowId,
	leaseGrantedSignal,
} from '../workflows/broker-contracts.ts';
import { recoveryWorkflow, taskQueues } from '../workflows/contracts.ts';
import { importWorkflow } from '../workflows/import-contracts.ts';

/** A server answers some hundred such questions a second, and has others to answer. */
const atOnce = 16;

/** The workflows of a site by Temporal's client; `reporters` are those whom a broker that is started waits for. */
export function siteWorkflows(client: Client, reporters: () => Promise<string[]>): SiteWorkflows {
	return {
		async askBroker(request) {
			const args: [BrokerInput] = [{ reporters: await reporters() }];
			await answered(() =>
				client.workflow.signalWithStart(brokerWorkflow, {
					workflowId: brokerWorkflowId,
					taskQueue: taskQueues.control,
					args,
					signal: acquireSignal,
					signalArgs: [request],
				}),
			);
		},
		openHolders() {
			const query = `WorkflowType IN ('${recoveryWorkflow}', '${importWorkflow}') AND ExecutionStatus = 'Running'`;
			return answered(async () => {
				const open: string[] = [];
				for await (const { workflowId } of client.workflow.list({ query })) open.push(workflowId);
				return open;
			});
		},
		tellGrants(grants, signal) {
			return forEach(grants, signal, async ({ workflowId, ...message }) => {
				try {
					await answered(() => client.workflow.getHandle(workflowId).signal(leaseGrantedSignal, message));
					return true;
				} catch (error) {
					if (error instanceof WorkflowNotFoundError) return false;
					throw error;
				}
			});
		},
		find(workflowIds, signal) {
			return forEach(workflowIds, signal, workflowId => find(client, workflowId));
		},
	};
}

/**
 * Whatever befalls a call to the server may pass by itself, and is told by our code: of an error that it does not know an
 * activity fails for good.
 */
async function answered<T>(call: () => Promise<T>): Promise<T> {
	try {
		return await call();
	} catch (cause) {
		if (!(cause instanceof ServiceError || isGrpcServiceError(cause) || isGrpcDeadlineError(cause))) throw cause;
		const said = cause.cause instanceof Error ? cause.cause : cause;
		throw new RouseError('temporal_unreachable', `Temporal does not answer: ${said.message}`, { cause });
	}
}

/** So many at once, in the same order. */
async function forEach<From, To>(
	all: readonly From[],
	signal: AbortSignal,
	work: (one: From) => Promise<To>,
): Promise<To[]> {
	const results: To[] = [];
	for (let from = 0; from < all.length; from += atOnce) {
		signal.throwIfAborted();
		results.push(...(await Promise.all(all.slice(from, from + atOnce).map(work))));
	}
	return results;
}

async function find(client: Client, workflowId: string): Promise<FoundWorkflow | undefined> {
	try {
		const { closeTime, memo, raw } = await answered(() => client.workflow.getHandle(workflowId).describe());
		const firstRunId = raw.workflowExecutionInfo?.firstRunId ?? '';
		return { isOpen: closeTime === undefined, firstRunId, memo: memo ?? {} };
	} catch (error) {
		if (error instanceof WorkflowNotFoundError) return undefined;
		throw error;
	}
}
