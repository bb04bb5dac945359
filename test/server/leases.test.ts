import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Broker } from '../../client/broker.ts';
import type { TemporalClient } from '../../client/connection.ts';
import { Orders } from '../../client/orders.ts';
import { Recoveries } from '../../client/recoveries.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { waitFor } from '../../system/wait.ts';
import { brokerWorkflowId } from '../../workflows/broker-contracts.ts';
import { recoveryWorkflowId } from '../../workflows/contracts.ts';
import { storedMachine } from '../equipment/stored-machine.ts';
import { SupervisorDouble } from '../equipment/supervisor-double.ts';
import { TestInstallation } from '../equipment/temporal.ts';

const timeoutMs = 120_000;
let place: TestInstallation;
let supervisor: SupervisorDouble;
let temporal: TemporalClient;
let recoveries: Recoveries;
let broker: Broker;
let request: RecoveryRequest;

before(async () => {
	place = await TestInstallation.create();
	supervisor = await SupervisorDouble.start(place.installation);
	request = await storedMachine(place.installation.home);
	await place.startServer();
	temporal = await place.connect();
	recoveries = new Recoveries(temporal);
	broker = new Broker(temporal);
	place.startWorkers('control');
	place.startWorkers('host');
});
after(async () => {
	await supervisor.stop();
	await place.remove();
});

/** `web01-r1/run`, … */
const held = async () =>
	(await broker.view()).leases.map(({ requestId }) => requestId.split('/').toSpliced(2, 1).slice(1).join('/'));

async function start(name: string, changes: Partial<RecoveryRequest> = {}): Promise<void> {
	await recoveries.start({ ...request, name, machineName: name, ...changes });
}

test('a recovery takes its place and its stream from the broker, gives them back, and costs at most 150 events', async () => {
	await start('one');
	await recoveries.waitFor('one', 'running', { timeoutMs });
	assert.deepEqual(await held(), ['one/run']);
	await new Orders(temporal).migrate('one', {});
	await recoveries.waitFor('one', 'migrating', { timeoutMs });
	assert.deepEqual(await held(), ['one/run', 'one/migrate']);
	supervisor.restore('one');
	await recoveries.result('one');
	await waitFor('the broker to have all back', async () => (await held()).length === 0, { timeoutMs });
	const { historyLength } = await temporal.client.workflow.getHandle(recoveryWorkflowId('one')).describe();
	assert.ok(historyLength <= 150, `${historyLength} events`);
});

test('the next of two recoveries starts when the first gives its place back', async () => {
	await broker.setTotal({ resource: 'host/local/recoveries', total: 1 });
	await start('two');
	await recoveries.waitFor('two', 'running', { timeoutMs });
	await start('three', { priority: 1 });
	await waitFor('three to wait', async () => (await broker.view()).waiting.length === 1, { timeoutMs });
	await new Orders(temporal).discard('two', { confirm: 'two' });
	await recoveries.waitFor('three', 'running', { timeoutMs });
	assert.deepEqual(await held(), ['three/run']);
});

test('a broker that comes up empty hears from open recoveries what they hold', async () => {
	const handle = temporal.client.workflow.getHandle(brokerWorkflowId);
	const { runId } = await handle.describe();
	await handle.terminate('test');
	await waitFor('another broker', async () => (await handle.describe()).runId !== runId, { timeoutMs });
	await waitFor('what is held', async () => (await held()).includes('three/run'), { timeoutMs });
});
