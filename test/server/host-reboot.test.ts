import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adopt } from '../../client/adoptions.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { waitFor } from '../../system/wait.ts';
import { recoveryWorkflowId } from '../../workflows/contracts.ts';
import { SimulatedWorkplace } from '../equipment/simulated-workplace.ts';

const timeoutMs = 60_000;

test('after a boot of its host a machine comes on when its workflow is seen to be open, and not before', async t => {
	const here = await SimulatedWorkplace.create(t);
	const { place, client } = here;
	await place.startServer();
	place.startWorkers('control', 'host');
	const temporal = await place.connect();
	const recoveries = new Recoveries(temporal);
	await recoveries.start(here.request('web'));
	await recoveries.waitFor('web', 'running', { timeoutMs });
	const written = Buffer.alloc(512, 'web');
	assert.ok(await (await here.guest('web')).write(0, 0, written));
	const poweredOn = (what: string) =>
		waitFor(what, async () => (await client.recovery('web')).power === 'on', { timeoutMs });

	await here.reboot(t);
	await poweredOn('the machine of the open workflow');
	assert.deepEqual(await (await here.guest('web')).read(0, 0, 512), written);

	await temporal.client.workflow.getHandle(recoveryWorkflowId('web')).terminate('given up');
	await here.reboot(t);
	await waitFor('the question', async () => (await client.recovery('web')).blocked?.code === 'host_rebooted', {
		timeoutMs,
	});
	await adopt({ recoveries, supervisor: client }, 'web', {});
	await poweredOn('the machine of the workflow that took it up');
	assert.deepEqual(await (await here.guest('web')).read(0, 0, 512), written);
});
