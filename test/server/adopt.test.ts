import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { findingsOf } from '../../cli/doctor/findings.ts';
import { gatherFacts } from '../../cli/doctor/gather.ts';
import { adopt, adoptAll } from '../../client/adoptions.ts';
import { Orders } from '../../client/orders.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { RouseError } from '../../model/errors.ts';
import { listPins } from '../../repository/pins.ts';
import { openRepository } from '../../repository/repository.ts';
import { places } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { recoveryWorkflowId } from '../../workflows/contracts.ts';
import { SimulatedWorkplace } from '../equipment/simulated-workplace.ts';

const asked = { reason: 'because' };
const timeoutMs = 60_000;

const pinned = async (repository: string) => {
	const opened = await openRepository(repository);
	try {
		return (await listPins(opened)).pins.length;
	} finally {
		await opened.store.close();
	}
};

/** What `doctor` finds about recoveries and their workflows. */
const found = async ({ place }: SimulatedWorkplace) =>
	findingsOf(await gatherFacts(place.installation))
		.filter(({ code }) => code !== 'supervisor_down') // the test's own process is its supervisor, without a lock
		.map(({ code, subject, command }) => [code, subject, command])
		.toSorted();

/** What the guest of each of them has written. */
const mark = (name: string) => Buffer.alloc(512, name);

test('three recoveries in three phases go on to their ends with their writes when the database of Temporal is lost', async t => {
	const here = await SimulatedWorkplace.create(t);
	const { place, client } = here;
	const server = await place.startServer();
	const workers = place.startWorkers('control', 'host');
	const before = new Recoveries(await place.connect());
	const orders = new Orders(await place.connect());
	const names = ['running', 'migrating', 'starting'];

	await before.start(here.request('running'));
	await before.start(here.request('migrating', { policy: { finish: 'migrate', switch: 'auto', maxRateBytes: 512 } })); // hours, however long all the rest takes
	for (const name of ['running', 'migrating']) {
		await before.waitFor(name, 'running', { timeoutMs });
		assert.ok(await (await here.guest(name)).write(0, 0, mark(name)));
	}
	await orders.setPolicy('migrating', { ...asked, policy: { maxRateBytes: 1024 } });
	await waitFor('the rate', async () => (await client.adoption('migrating')).copy.maxRateBytes === 1024, {
		timeoutMs,
	});
	here.failAt = 'mount-mover-started';
	await before.start(here.request('starting'));
	const starting = () => client.recovery('starting').catch(() => undefined); // its place may not be reserved yet
	await waitFor('the third one', async () => (await starting())?.done.includes('create-machine'), { timeoutMs });
	await workers.end('SIGKILL');
	await server.end('SIGKILL');
	const generations = new Map(
		await Promise.all(names.map(async name => [name, (await client.adoption(name)).generation] as const)),
	);

	const directory = places.temporal(place.installation.home);
	for (const file of await readdir(directory)) if (file.startsWith('temporal.db')) await rm(join(directory, file)); // with the journal beside it
	await place.startServer();
	place.startWorkers('control', 'host');
	here.failAt = undefined;
	const recoveries = new Recoveries(await place.connect());
	const parties = { recoveries, supervisor: client };
	await assert.rejects(recoveries.peek('running'), { code: 'recovery_unknown' });
	assert.deepEqual(
		await found(here),
		names.toSorted().map(name => ['workflow_missing', name, `rouse recover adopt ${name}`]),
	);
	const answers = await adoptAll(parties, asked);
	assert.deepEqual(
		answers.map(({ name, outcome }) => [name, outcome]).toSorted(),
		names.map(name => [name, 'adopted']).toSorted(),
		JSON.stringify(answers),
	);
	assert.deepEqual(
		(await adoptAll(parties, asked)).map(({ outcome }) => outcome),
		['open', 'open', 'open'],
	);
	await assert.rejects(adopt(parties, 'running', asked), { code: 'phase_wrong' });

	const again = new Orders(await place.connect());
	await recoveries.waitFor('starting', 'running', { timeoutMs });
	await again.setPolicy('migrating', { ...asked, policy: { maxRateBytes: 0 } });
	for (const name of ['running', 'starting']) await again.migrate(name, asked);
	assert.ok(await (await here.guest('starting')).write(0, 0, mark('starting')));
	for (const name of names) {
		await recoveries.waitFor(name, 'finished', { timeoutMs });
		assert.deepEqual(await (await here.guest(name)).read(0, 0, 512), mark(name), name);
		const { generation } = (await recoveries.result(name)).status;
		assert.ok(generation > (generations.get(name) ?? Number.NaN), `${name}: ${generation}`);
	}
	assert.equal(await pinned(here.stored.repository), 0);
	assert.equal((await recoveries.start(here.request('running'))).outcome, 'already_finished');
});

test('a recovery whose workflow was terminated is adopted, and what its host reports reaches the new one', async t => {
	const here = await SimulatedWorkplace.create(t);
	const { place, client } = here;
	await place.startServer();
	place.startWorkers('control', 'host');
	const temporal = await place.connect();
	const [recoveries, orders] = [new Recoveries(temporal), new Orders(temporal)];
	const parties = { recoveries, supervisor: client };
	const request = here.request('web');
	await recoveries.start(request);
	await recoveries.waitFor('web', 'running', { timeoutMs });
	const { recoveryId } = await recoveries.show('web');
	const guest = await here.guest('web');
	assert.ok(await guest.write(0, 0, mark('web')));

	assert.deepEqual(await found(here), []);
	await temporal.client.workflow.getHandle(recoveryWorkflowId('web')).terminate('by a hand that slipped');
	assert.deepEqual(await found(here), [['workflow_closed', 'web', 'rouse recover adopt web']]);
	await assert.rejects(recoveries.start(request), { code: 'name_conflict' });
	assert.ok(guest.powerOff());
	await waitFor('the host to see it', async () => (await client.recovery('web')).power === 'off', { timeoutMs });
	await assert.rejects(adopt(parties, 'nobody', asked), { code: 'recovery_unknown' });
	const answer = await adopt(parties, 'web', { ...asked, policy: { switch: 'manual' } });
	assert.deepEqual([answer.outcome, answer.phase], ['adopted', 'running']);

	await recoveries.waitFor('web', 'running', { timeoutMs });
	const shown = await recoveries.show('web');
	assert.equal(shown.recoveryId, recoveryId);
	assert.equal(shown.status?.power, 'off');
	await orders.power('web', { ...asked, action: 'on' });
	await orders.migrate('web', asked);
	await recoveries.waitFor('web', 'migrated', { timeoutMs });
	await orders.switch('web', asked);
	await recoveries.waitFor('web', 'finished', { timeoutMs });
	assert.deepEqual(await (await here.guest('web')).read(0, 0, 512), mark('web'));
	assert.equal((await recoveries.list()).filter(({ name }) => name === 'web').length, 1);
	await assert.rejects(
		adopt(parties, 'web', asked),
		(error: unknown) => error instanceof RouseError && error.code === 'phase_wrong' && /finished/.test(error.message),
	);
});
