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

/** What a holder was told, by the names of the signals. One that was told twice is one: whoever told it may have died before he could say so. */
export async function heardBy(client: Client, { workflowId, firstRunId }: Holder): Promise<string[]> {
	const { events } = await client.workflow.getHandle(workflowId, firstRunId).fetchHistory();
	const messages = new Map<string, string>();
	for (const { workflowExecutionSignaledEventAttributes: signal } of events ?? []) {
		const name = signal?.signalName ?? '';
		const payload = Buffer.from(signal?.input?.payloads?.[0]?.data ?? []).toString();
		if (name === leaseGrantedSignal.name || name === leaseRevokedSignal.name) messages.set(`${name} ${payload}`, name);
	}
	return [...messages.values()];
}
