/** A batch from its file to its discard, on a real Temporal server with real workers, and a supervisor that has no machines. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Catalogue } from '../../client/batch/catalogue.ts';
import { type BatchDocument, readBatch } from '../../client/batch/documents.ts';
import { existingRequests } from '../../client/batch/existing.ts';
import { expandBatch } from '../../client/batch/expand.ts';
import { batchTimeline } from '../../client/batch/timeline.ts';
import { Batches } from '../../client/batches.ts';
import { Broker } from '../../client/broker.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { batchFileSchema } from '../../model/batch-file.ts';
import type { BatchPlan } from '../../model/batch.ts';
import { RouseError } from '../../model/errors.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { readYaml } from '../../system/parse-yaml.ts';
import { waitFor } from '../../system/wait.ts';
import { batchSurroundings } from '../equipment/batch-surroundings.ts';
import { storedMachine } from '../equipment/stored-machine.ts';
import { SupervisorDouble } from '../equipment/supervisor-double.ts';
import { TestInstallation } from '../equipment/temporal.ts';

const patience = { timeoutMs: 90_000, everyMs: 200 };
const file = `
name: site
groups:
  - name: web
    after: [base]
    machines: [{machine: web01, name: b}, {machine: web01, name: c}]
  - name: base
    machines: [{machine: web01, name: a}]
`;

let place: TestInstallation;
let supervisor: SupervisorDouble;
let stored: RecoveryRequest;
let batches: Batches;
let look: () => Promise<BatchDocument>;
let recoveries: Recoveries;

before(async () => {
	place = await TestInstallation.create();
	stored = await storedMachine(place.installation.home);
	supervisor = await SupervisorDouble.start(place.installation);
	await place.startServer();
	place.startWorkers('control', 'host');
	const temporal = await place.connect();
	batches = new Batches(temporal);
	recoveries = new Recoveries(temporal);
	const broker = new Broker(temporal);
	look = () => readBatch({ batches, recoveries, broker, supervisor: SupervisorClient.of(place.installation) }, 'site');
});
after(async () => {
	await supervisor.stop();
	await place.remove();
});

async function planOf(text: string): Promise<BatchPlan> {
	const { value, placeOf } = readYaml(text, 'site.yaml', batchFileSchema, 'spec_invalid');
	const existing = existingRequests(await recoveries.list(), await batches.openPlan(value.name));
	const catalogue = new Catalogue();
	try {
		const { plan } = await expandBatch(value, {
			...batchSurroundings(),
			catalogue,
			directoryOf: async () => stored.repository,
			hosts: new Map([['local', { place: { host: 'local', hostId: stored.hostId }, view: null }]]),
			existing: name => existing.get(name),
			placeOf,
		});
		return plan;
	} finally {
		await catalogue.close();
	}
}

function unlessMissing(error: unknown): undefined {
	if (!(error instanceof RouseError) || error.code !== 'worker_missing') throw error;
}

const statesOf = ({ items }: BatchDocument) => Object.fromEntries(items.map(({ name, state }) => [name, state]));

test('a batch goes through its groups, attaches to its own plan alone, and is discarded when it is over', async () => {
	supervisor.failing.set('allocate', new RouseError('io_failed', 'not yet'));
	assert.equal(await batches.start(await planOf(file)), 'started');
	const waiting = await waitFor(
		'the first machine to be on its way',
		async () => {
			// The worker may still be about to start.
			const document = await look().catch(unlessMissing);
			return document?.counts.starting === 1 && document;
		},
		patience,
	);
	assert.deepEqual(statesOf(waiting), { a: 'starting', b: 'waiting', c: 'waiting' });
	assert.match(waiting.items.find(({ name }) => name === 'b')?.waitsFor ?? '', /group base is not ready/);
	assert.equal(await batches.start(await planOf(file)), 'attached');
	await assert.rejects(batches.start(await planOf(`${file}window: 1`)), { code: 'name_conflict' });

	supervisor.failing.clear();
	await batches.retry('site', {});
	await waitFor('the batch to be over', async () => (await look()).phase === 'over', patience);
	const over = await look();
	assert.equal(over.workflow, 'COMPLETED');
	assert.deepEqual(statesOf(over), { a: 'ready', b: 'ready', c: 'ready' });
	await assert.rejects(batches.cancel('site', {}), { code: 'phase_wrong' });

	assert.equal(await batches.discard('site', { confirm: 'site', reason: 'tried' }), undefined);
	await Promise.all(['a', 'b', 'c'].map(name => recoveries.waitFor(name, 'discarded', patience)));
	const [batch] = await batches.list();
	assert.deepEqual([batch?.name, batch?.items], ['site', 3]);
	const audit = batchTimeline(await batches.histories('site'), { deaths: [], outages: [] });
	const told = audit.map(({ text, reason }) => [text, reason]);
	assert.deepEqual(told[0], ['3 machines in 2 groups requested', undefined]);
	const again = told.findIndex(([text]) => text === 'begun again: 3 machines in 2 groups requested');
	assert.ok(again > told.findIndex(([text]) => text === 'c started'), JSON.stringify(told));
	assert.deepEqual(told[again + 1], ['discard, of what exists', 'tried']);
	await assert.rejects(batches.view('other'), { code: 'batch_unknown' });
});
