import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Orders } from '../../client/orders.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { waitFor } from '../../system/wait.ts';
import { SimulatedWorkplace } from '../equipment/simulated-workplace.ts';

const timeoutMs = 60_000;
const confirm = { confirm: 'web' };

test('a host that is gone is given up; when it is back its machine stays off, and nothing of it is removed', async t => {
	const here = await SimulatedWorkplace.create(t);
	const { place, client } = here;
	await place.startServer();
	place.startWorkers('control');
	const worker = place.startWorkers('host');
	const temporal = await place.connect();
	const recoveries = new Recoveries(temporal);
	const orders = new Orders(temporal);
	await recoveries.start(here.request('web'));
	await recoveries.waitFor('web', 'running', { timeoutMs });
	const written = Buffer.alloc(512, 'web');
	assert.ok(await (await here.guest('web')).write(0, 0, written));
	await assert.rejects(orders.abandon('web', confirm), { code: 'phase_wrong', message: /answers/ });

	await worker.end('SIGKILL');
	await orders.migrate('web', {}); // hangs with the host
	await orders.abandon('web', confirm);
	await recoveries.waitFor('web', 'abandoned', { timeoutMs });
	assert.equal((await recoveries.result('web')).phase, 'abandoned');

	await here.reboot(t);
	const { name, request } = await recoveries.peek('web');
	assert.ok(request);
	// The name is another recovery's by then.
	await recoveries.start({ ...request, name, reason: 'elsewhere' }, { again: true });
	place.startWorkers('host');
	await waitFor('the host to be told', async () => (await client.recovery('web')).state === 'abandoned', { timeoutMs });
	const { power, done } = await client.recovery('web');
	assert.deepEqual([power, done.includes('power-on')], ['off', true]);
	await client.machinePower('web', 'on');
	assert.deepEqual(await (await here.guest('web')).read(0, 0, 512), written);
});
