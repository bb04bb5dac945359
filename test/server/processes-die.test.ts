import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Orders } from '../../client/orders.ts';
import { Recoveries } from '../../client/recoveries.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { listPins } from '../../repository/pins.ts';
import { openRepository } from '../../repository/repository.ts';
import { waitFor } from '../../system/wait.ts';
import { storedMachine } from '../equipment/stored-machine.ts';
import { SupervisorDouble } from '../equipment/supervisor-double.ts';
import { type OwnProcess, TestInstallation } from '../equipment/temporal.ts';

const asked = {};
const timeoutMs = 90_000;

let place: TestInstallation;
let supervisor: SupervisorDouble;
let request: RecoveryRequest;
let server: OwnProcess;

before(async () => {
	place = await TestInstallation.create();
	request = await storedMachine(place.installation.home);
	supervisor = await SupervisorDouble.start(place.installation);
	server = await place.startServer();
});
after(async () => {
	await supervisor.stop();
	await place.remove();
});

const pins = async () => {
	const repository = await openRepository(request.repository);
	try {
		return (await listPins(repository)).pins;
	} finally {
		await repository.store.close();
	}
};

test('workers and the server die by SIGKILL while a recovery migrates, and it ends finished', async () => {
	const control = place.startWorkers('control');
	const host = place.startWorkers('host');
	const temporal = await place.connect();
	const [recoveries, orders] = [new Recoveries(temporal), new Orders(temporal)];
	const { name } = request;
	const show = () => recoveries.show(name);

	assert.equal((await recoveries.start(request)).outcome, 'started');
	await recoveries.waitFor(name, 'running', { timeoutMs });
	assert.equal((await pins()).length, 1);
	await orders.migrate(name, asked);
	await recoveries.waitFor(name, 'migrating', { timeoutMs });
	await waitFor('the slice', async () => (await show()).pending[0]?.running, { timeoutMs });

	await control.end('SIGKILL');
	await host.end('SIGKILL');
	assert.equal((await show()).phase, 'migrating', 'known without any worker');
	assert.equal((await show()).statusFrom, 'memo');
	const copies = supervisor.stepsOf(name).filter(step => step === 'migrate-chunks').length;
	place.startWorkers('control', 'host');
	await waitFor(
		'another slice',
		() => supervisor.stepsOf(name).filter(step => step === 'migrate-chunks').length > copies,
		{
			timeoutMs,
		},
	);

	await server.end('SIGKILL');
	supervisor.restore(name);
	server = await place.startServer();
	await recoveries.waitFor(name, 'finished', { timeoutMs });

	const result = await recoveries.result(name);
	assert.equal(result.phase, 'finished');
	assert.equal(result.status.timings.switchPauseMs, 1.5);
	assert.deepEqual(await pins(), []);
	const { calls } = supervisor;
	const once = ['allocate', 'create-machine', 'start-movers', 'snapshot', 'power-on', 'switch-to-target', 'finalize'];
	for (const step of once) assert.equal(calls.filter(call => call.step === step).length, 1, step);
	assert.equal((await recoveries.start(request)).outcome, 'already_finished');
});
