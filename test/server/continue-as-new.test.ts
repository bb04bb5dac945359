import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Orders } from '../../client/orders.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { waitFor } from '../../system/wait.ts';
import { storedMachine } from '../equipment/stored-machine.ts';
import { SupervisorDouble } from '../equipment/supervisor-double.ts';
import { TestInstallation } from '../equipment/temporal.ts';

const asked = {};
const timeoutMs = 60_000;
let place: TestInstallation;
let supervisor: SupervisorDouble;

before(async () => {
	place = await TestInstallation.create();
	supervisor = await SupervisorDouble.start(place.installation);
	// Default 4,096 events: a new run is suggested after days.
	await place.startServer('--dynamic-config-value', 'limit.historyCount.suggestContinueAsNew=60');
});
after(async () => {
	await supervisor.stop();
	await place.remove();
});

test('over many runs it stays one recovery: request, status, orders and history go with it', async () => {
	const request = await storedMachine(place.installation.home);
	const { name } = request;
	place.startWorkers('control', 'host');
	const temporal = await place.connect();
	const [recoveries, orders] = [new Recoveries(temporal), new Orders(temporal)];
	await recoveries.start(request);
	await recoveries.waitFor(name, 'running', { timeoutMs });
	const first = await recoveries.show(name);
	for (let rate = 1; rate <= 12; rate++)
		await orders.setPolicy(name, { ...asked, policy: { maxRateBytes: rate * 1000 } });
	const later = await waitFor(
		'a new run',
		async () => {
			const now = await recoveries.show(name);
			return now.runId !== first.runId && now;
		},
		{ timeoutMs },
	);
	assert.equal(later.recoveryId, first.recoveryId);
	assert.deepEqual(later.request, { ...request, requestedBy: temporal.caller });
	assert.equal(later.phase, 'running');
	assert.equal(later.status?.policy.maxRateBytes, 12_000);
	assert.equal((await recoveries.start(request)).outcome, 'attached');

	await orders.migrate(name, asked);
	await waitFor('the slice', () => supervisor.stepsOf(name).includes('migrate-chunks'), { timeoutMs });
	supervisor.restore(name);
	const result = await recoveries.result(name);
	assert.equal(result.phase, 'finished');
	assert.equal(result.status.timings.requestedAt, first.requestedAt);
	assert.equal(supervisor.stepsOf(name).filter(step => step === 'power-on').length, 1);

	const kinds = (await recoveries.history(name)).map(({ kind }) => kind);
	assert.equal(kinds.filter(kind => kind === 'started').length, 1);
	assert.ok(kinds.includes('continued'));
	assert.equal(kinds.filter(kind => kind === 'asked').length, 13);
	const listed = await waitFor(
		'visibility',
		async () => {
			const all = await recoveries.list();
			return all.some(({ workflow }) => workflow === 'COMPLETED') && all;
		},
		{ timeoutMs },
	);
	assert.deepEqual(
		listed.map(entry => entry.name),
		[name],
	);
});
