/**
 * Twenty recoveries on a simulated host, through the real keeper, supervisor, workers and Temporal server, each of which is
 * killed several times. ROUSE_TEST_SEED decides who dies when, which machines are recovered, and what guests write.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { connectTemporal } from '../../client/connection.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { makeRequest } from '../../client/requests.ts';
import type { RecoverySummary } from '../../client/summaries.ts';
import { serviceNames } from '../../keeper/services.ts';
import { listPins } from '../../repository/pins.ts';
import { openRepository } from '../../repository/repository.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { runName } from '../../supervisor/files/places.ts';
import { Tombstones } from '../../supervisor/files/tombstones.ts';
import { loadConfig, places } from '../../system/installation.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { Guests } from '../equipment/fleet/guests.ts';
import { Killer } from '../equipment/fleet/killer.ts';
import { Operator } from '../equipment/fleet/operator.ts';
import { type StoredPoint, storePoints } from '../equipment/fleet/stored-points.ts';
import { type Cast, type Story, stories, survivor } from '../equipment/fleet/stories.ts';
import { Watch } from '../equipment/fleet/watch.ts';
import { Random } from '../equipment/seeds/random.ts';
import { fastDirectory } from '../equipment/simulated-bench.ts';

const seed = Number(process.env['ROUSE_TEST_SEED'] ?? 1);
/** Of each service. */
const deaths = 3;
const timeoutMs = 240_000;

const title = `${stories.length} recoveries at once come to their ends while every service dies ${deaths} times`;

test(`${title} (seed ${seed})`, async t => {
	const config = `host: {kind: simulated, recoveries: ${stories.length}}`;
	const here = await EmbeddedInstallation.up(t, config, fastDirectory);
	const temporal = await connectTemporal(here.installation);
	t.after(() => temporal.close());
	const over = new AbortController();
	const patience = { timeoutMs, everyMs: 100, signal: over.signal };
	const random = new Random(seed);
	const watch = new Watch(temporal, here.installation.home);
	const guests = new Guests(here.installation, random, patience);
	const killer = new Killer(here.installation.home, watch, random, patience);

	const recoveries = new Recoveries(temporal);
	const casts = new Map<string, Omit<Cast, 'deaths'>>();
	const points = await storePoints(here.repository);
	for (const story of stories) {
		const point = random.pick(points);
		const guest = guests.add(story.name, point.disks);
		casts.set(story.name, { operator: new Operator(story.name, temporal, watch, patience), guest });
		assert.equal((await recoveries.start(await requestOf(here, story, point))).outcome, 'started');
	}
	const background = Promise.all([watch.look([...casts.keys()], over.signal), guests.write(over.signal)]);
	const quiet = new AbortController();
	const killed = killer.killAll(deaths, { from: 700, until: 1_700, quiet: quiet.signal });
	const live = (story: Story) => story.live({ ...mustBe(casts.get(story.name)), deaths: killed });
	const isSurvivor = ({ name }: Story) => name === survivor;
	const others = Promise.all(stories.filter(story => !isSurvivor(story)).map(live)).finally(() => quiet.abort());
	try {
		await Promise.race([Promise.all([killed, others, ...stories.filter(isSurvivor).map(live)]), background]);
	} finally {
		over.abort();
		await background;
		t.diagnostic(`killed: ${killer.killed.join(', ')}; ${watch.events} events`);
	}

	for (const name of serviceNames) {
		const count = killer.killed.filter(line => line.startsWith(`${name} `)).length;
		assert.equal(count, deaths, `${name} was killed ${count} times`);
	}
	const ended = await Promise.all(stories.map(({ name }) => recoveries.peek(name)));
	for (const [index, { ends }] of stories.entries()) await checkEnd(here, mustBe(ended[index]), ends);
	await checkHost(here, ended);
	await checkMachines(here, guests);
	await checkRepository(here);
	await checkAudit(here);
});

function mustBe<T>(value: T | undefined): T {
	assert.ok(value !== undefined);
	return value;
}

async function checkEnd({ installation }: EmbeddedInstallation, ended: RecoverySummary, ends: Story['ends']) {
	const { name, phase, workflow, status, recoveryId } = ended;
	assert.deepEqual(
		{ name, phase, workflow, parked: status?.parked },
		{ name, phase: ends, workflow: 'COMPLETED', parked: null },
	);
	const tombstone = await new Tombstones(installation.home).read(mustBe(recoveryId));
	assert.equal(tombstone?.state, ends, name);
	if (ends === 'discarded') assert.equal(status?.timings.migratedAt, undefined, `${name} had been migrated`);
}

/** Nothing is left of what was discarded, and of what was finished only the machine. */
async function checkHost({ installation }: EmbeddedInstallation, ended: readonly RecoverySummary[]) {
	const finished = ended.filter(({ phase }) => phase === 'finished');
	const directory = places.recoveries(installation.home);
	assert.deepEqual((await readdir(directory)).toSorted(), finished.map(({ name }) => name).toSorted());
	for (const { name } of finished) {
		const files = (await readdir(join(directory, name))).filter(file => !/^disk\d\.target$/.test(file));
		assert.deepEqual(files.toSorted(), ['machine.json', 'simulated.json', 'start.json'], name);
	}
	const running = finished.map(({ recoveryId }) => runName(mustBe(recoveryId)));
	const sockets = ['supervisor.sock', 'temporal-ui.sock', 'temporal.sock'];
	assert.deepEqual((await readdir(installation.runDirectory)).toSorted(), [...running, ...sockets].toSorted());
}

/** Switched off, so that nothing counts that was not flushed. */
async function checkMachines({ installation }: EmbeddedInstallation, guests: Guests) {
	const supervisor = SupervisorClient.of(installation);
	for (const { name } of stories.filter(({ ends }) => ends === 'finished')) {
		assert.equal(await supervisor.machinePower(name, 'off'), 'off');
		const { disks } = await supervisor.recovery(name);
		guests.check(name, await Promise.all(disks.map(({ path }) => readFile(path))));
	}
}

async function checkRepository({ repository: directory }: EmbeddedInstallation) {
	const repository = await openRepository(directory);
	try {
		assert.deepEqual(await listPins(repository), { pins: [], unreadable: [] });
	} finally {
		await repository.store.close();
	}
}

const auditSchema = z.object({ entries: z.array(z.object({ kind: z.string(), text: z.string() })) });

/** Of the one that saw it all: who died, and that it was parked. */
async function checkAudit(here: EmbeddedInstallation) {
	const { entries } = auditSchema.parse(await here.answer('audit', survivor));
	const told = entries.map(({ kind, text }) => `${kind} ${text}`).join('\n');
	for (const name of serviceNames) assert.match(told, new RegExp(`incident service_died: ${name}`));
	assert.match(told, /incident supervisor_died/);
	assert.match(told, /parked parked \(interrupted\)[\s\S]*unparked/);
}

async function requestOf({ installation, repository }: EmbeddedInstallation, story: Story, point: StoredPoint) {
	const { name, finish, switch: when, maxRateBytes } = story;
	return makeRequest(
		{ machine: point.machine, point: point.restorePoint },
		{ name, finish, switch: when, maxRateBytes, allocate: 'thin', powerOn: true },
		{
			networks: (await loadConfig(installation)).host.networks,
			repository,
			host: await SupervisorClient.of(installation).host(),
		},
	);
}
