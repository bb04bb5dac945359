import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Recoveries } from '../../client/recoveries.ts';
import { waitFor } from '../../system/wait.ts';
import { storedMachine } from '../equipment/stored-machine.ts';
import { SupervisorDouble } from '../equipment/supervisor-double.ts';
import { TestInstallation } from '../equipment/temporal.ts';

const timeoutMs = 60_000;
let place: TestInstallation;
let supervisor: SupervisorDouble;

before(async () => {
	place = await TestInstallation.create();
	supervisor = await SupervisorDouble.start(place.installation);
	await place.startServer();
});
after(async () => {
	await supervisor.stop();
	await place.remove();
});

test('a host worker that is told to end does so within ten seconds in the middle of a slice, and the next carries on', async () => {
	const request = await storedMachine(place.installation.home);
	const { name } = request;
	place.startWorkers('control');
	const host = place.startWorkers('host');
	const recoveries = new Recoveries(await place.connect());
	await recoveries.start({ ...request, policy: { ...request.policy, finish: 'migrate' } });
	await waitFor(
		'a slice',
		async () => (await recoveries.show(name)).pending.some(({ step, running }) => step === 'migrateChunks' && running),
		{ timeoutMs },
	);

	const told = performance.now();
	await host.end('SIGTERM');
	assert.ok(performance.now() - told < 12_000, 'the keeper would have killed it');
	assert.equal(host.child.exitCode, 0, host.said);

	const [pending] = (await recoveries.show(name)).pending;
	assert.equal(pending?.step, 'migrateChunks', 'a slice that was interrupted is not a slice that was cancelled');
	assert.deepEqual(supervisor.incidents, []);
	place.startWorkers('host');
	supervisor.restore(name);
	await recoveries.waitFor(name, 'finished', { timeoutMs });
});
