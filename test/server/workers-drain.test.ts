import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Recoveries } from '../../client/recoveries.ts';
import { readOutages } from '../../system/temporal-outages.ts';
import { waitFor } from '../../system/wait.ts';
import { storedMachine } from '../equipment/stored-machine.ts';
import { SupervisorDouble } from '../equipment/supervisor-double.ts';
import { type OwnProcess, TestInstallation } from '../equipment/temporal.ts';

const timeoutMs = 60_000;
let place: TestInstallation;
let supervisor: SupervisorDouble;
let server: OwnProcess;

before(async () => {
	place = await TestInstallation.create();
	supervisor = await SupervisorDouble.start(place.installation);
	server = await place.startServer();
});
after(async () => {
	await supervisor.stop();
	await place.remove();
});

const aSlice = (recoveries: Recoveries, name: string) =>
	waitFor(
		'a slice',
		async () => (await recoveries.show(name)).pending.some(({ step, running }) => step === 'migrateChunks' && running),
		{ timeoutMs },
	);

test('a host worker that is told to end does so within ten seconds in the middle of a slice, and the next carries on', async () => {
	const request = await storedMachine(place.installation.home);
	const { name } = request;
	place.startWorkers('control');
	const host = place.startWorkers('host');
	const recoveries = new Recoveries(await place.connect());
	await recoveries.start({ ...request, policy: { ...request.policy, finish: 'migrate' } });
	await aSlice(recoveries, name);

	const told = performance.now();
	await host.end('SIGTERM');
	assert.ok(performance.now() - told < 12_000, 'the keeper would have killed it');
	assert.equal(host.child.exitCode, 0, host.said);

	const [pending] = (await recoveries.show(name)).pending;
	assert.equal(pending?.step, 'migrateChunks', 'a slice that was interrupted is not a slice that was cancelled');
	assert.deepEqual(supervisor.incidents, []);
	const next = place.startWorkers('host');
	await aSlice(recoveries, name);

	// As when the system shuts down, which tells all at once to end.
	await Promise.all([server.end('SIGKILL'), next.end('SIGTERM')]);
	const missing = (await readOutages(place.installation.home)).map(({ worker }) => worker);
	assert.ok(!missing.includes('host-worker'), 'a worker that ends misses nobody');
	server = await place.startServer();
	place.startWorkers('host');
	supervisor.restore(name);
	await recoveries.waitFor(name, 'finished', { timeoutMs });
});
