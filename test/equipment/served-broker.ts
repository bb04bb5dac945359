import type { Client } from '@temporalio/client';
import type { Holder } from '../../model/broker.ts';
import {
	brokerWorkflow,
	brokerWorkflowId,
	leaseGrantedSignal,
	leaseRevokedSignal,
} from '../../workflows/broker-contracts.ts';
import { dehydrate } from '../../workflows/broker/dehydrate.ts';
import type { BrokerState } from '../../workflows/broker/state.ts';
import { taskQueues } from '../../workflows/contracts.ts';

/** The broker of a real server, as if an earlier run had handed that state over; before a worker starts one without. */
export async function startBrokerIn(client: Client, state: BrokerState): Promise<void> {
	await client.workflow.start(brokerWorkflow, {
		workflowId: brokerWorkflowId,
		taskQueue: taskQueues.control,
		args: [{ reporters: [], state: dehydrate(state) }],
	});
}

/** An open workflow that no worker takes: it hears of grants, and does nothing with them. */
export async function openHolder(client: Client, name: string): Promise<Holder> {
	const workflowId = `recovery/${name}`;
	const { firstExecutionRunId } = await client.workflow.start('holder', { workflowId, taskQueue: 'nobody' });
	return { workflowId, firstRunId: firstExecutionRunId };
}

/** What a holder was told, by the names of the signals. */
export async function heardBy(client: Client, { workflowId, firstRunId }: Holder): Promise<string[]> {
	const { events } = await client.workflow.getHandle(workflowId, firstRunId).fetchHistory();
	const names = (events ?? []).map(event => event.workflowExecutionSignaledEventAttributes?.signalName ?? '');
	return names.filter(name => name === leaseGrantedSignal.name || name === leaseRevokedSignal.name);
}
