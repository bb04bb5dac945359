import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broker } from '../../client/broker.ts';
import type { TemporalClient } from '../../client/connection.ts';
import { Orders } from '../../client/orders.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { hashRequest } from '../../client/requests.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { waitFor } from '../../system/wait.ts';
import { recoveryWorkflow, recoveryWorkflowId, searchAttributes, taskQueues } from '../../workflows/contracts.ts';
import { SimulatedWorkplace } from '../equipment/simulated-workplace.ts';

const timeoutMs = 60_000;

/** As a client does that reckons with a broker. */
async function startWithBroker({ client }: TemporalClient, request: RecoveryRequest): Promise<void> {
	const requestHash = hashRequest(request);
	await client.workflow.start(recoveryWorkflow, {
		workflowId: recoveryWorkflowId(request.name),
		taskQueue: taskQueues.control,
		args: [{ request, requestHash, broker: true }],
		memo: { request, requestHash },
		typedSearchAttributes: [{ key: searchAttributes.phase, value: 'planned' }],
	});
}

test('the broker knows what a host has, and of it what a finished machine takes and a lost workflow holds', async t => {
	const here = await SimulatedWorkplace.create(t);
	const { place, client } = here;
	await place.startServer();
	place.startWorkers('control', 'host');
	const temporal = await place.connect();
	const [recoveries, orders, broker] = [new Recoveries(temporal), new Orders(temporal), new Broker(temporal)];
	const memory = async () => {
		const { resources, leases } = await broker.view().catch(() => ({ resources: [], leases: [] }));
		const found = resources.find(({ resource }) => resource === 'host/local/memoryMiB');
		return { capacity: found?.capacity, held: found?.held, onHost: leases.filter(({ onHost }) => onHost) };
	};
	const until = (what: string, capacity: number, held: number) =>
		waitFor(
			what,
			async () => {
				const seen = await memory();
				return seen.capacity === capacity && seen.held === held && seen;
			},
			{ timeoutMs },
		);
	const { resources } = await client.capacity();
	const all = resources['memoryMiB']?.total ?? 0;
	await until('all of the host', all, 0);

	for (const name of ['web', 'lost']) await startWithBroker(temporal, here.request(name));
	for (const name of ['web', 'lost']) await recoveries.waitFor(name, 'running', { timeoutMs });
	const { held } = await client.capacity();
	const each = held[0]?.request.onHost['memoryMiB'] ?? 0;
	assert.ok(each > 0 && held.length === 2);
	await until('what both hold', all, 2 * each);

	await orders.migrate('web', {});
	await recoveries.waitFor('web', 'finished', { timeoutMs });
	await until('the memory of the machine that stays', all - each, each);

	// Only a host that has told of a lease can tell by its next report that it is over.
	await waitFor('its host to have told of it', async () => (await memory()).onHost.length === 1, { timeoutMs });
	await temporal.client.workflow.getHandle(recoveryWorkflowId('lost')).terminate('lost');
	const { recoveryId, generation } = await client.recovery('lost');
	await client.step('lost', 'discard', { recoveryId, generation });
	await until('the lease of what is gone', all - each, 0);
	await client.removeMachine('web');
	await until('the memory of what was removed', all, 0);
});
