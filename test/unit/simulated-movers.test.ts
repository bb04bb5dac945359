import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { waitFor } from '../../system/wait.ts';
import { asServed, simulatedCopy, type SimulatedCopy } from '../equipment/simulated-copy.ts';
import { damagePack } from '../equipment/stored-disk.ts';
import { TestClock } from '../equipment/test-clock.ts';

async function startMount({ movers, of }: SimulatedCopy) {
	await movers.repository(of.repository).start();
	const mount = movers.mount(of);
	await mount.start();
	return mount;
}

async function startMigration({ movers, of }: SimulatedCopy) {
	await movers.repository(of.repository).start();
	const migration = movers.migration(of);
	await migration.start();
	return migration;
}

/** Until it neither copies nor has anything left to say. */
async function copied(migration: Awaited<ReturnType<typeof startMigration>>) {
	await migration.control.copy(0);
	return copiedBy(migration);
}

function copiedBy(migration: Awaited<ReturnType<typeof startMigration>>) {
	return waitFor(
		'the copy to end',
		async () => {
			const state = await migration.control.state();
			return state.copying ? undefined : state;
		},
		{ timeoutMs: 10_000, everyMs: 1 },
	);
}

suite('a simulated mount mover', () => {
	test('serves the disk in whole sectors, byte for byte', async t => {
		const copy = await simulatedCopy(t);
		const mount = await startMount(copy);
		assert.equal(await mount.listens(), true);
		const expected = asServed(copy.stored);
		assert.deepEqual(await copy.read(0, expected.length), expected);
		assert.deepEqual(await copy.read(65_536 - 512, 1024), expected.subarray(65_536 - 512, 65_536 + 512));
	});

	test('holds reads, fails them when it is told to, and serves them again', async t => {
		const copy = await simulatedCopy(t);
		const { control } = await startMount(copy);
		const pair = copy.movers.pair(copy.of.recoveryId);
		pair.holdReads();
		const read = assert.rejects(copy.read(0, 512), { code: 'io_failed' });
		await turn();
		assert.equal((await control.state()).waitingReads, 1);
		await control.failPending(60_000);
		await read;
		await assert.rejects(copy.read(0, 512), { code: 'io_failed' });
		assert.equal((await control.state()).failing, true);
		await control.serve();
		pair.release();
		assert.deepEqual(await copy.read(0, 512), copy.stored.bytes.subarray(0, 512));
	});

	test('is unreachable before its start and after its end, and lets no read be lost with it', async t => {
		const copy = await simulatedCopy(t);
		await assert.rejects(copy.read(0, 512), { code: 'mover_unreachable' });
		const mount = await startMount(copy);
		const first = await mount.holder();
		copy.movers.pair(copy.of.recoveryId).holdReads();
		const read = assert.rejects(copy.read(0, 512), { code: 'mover_unreachable' });
		await turn();
		assert.equal(await mount.end(), true);
		await read;
		assert.equal(await mount.holder(), undefined);
		await assert.rejects(mount.control.state(), { code: 'mover_unreachable' });
		await mount.start();
		assert.notDeepEqual(await mount.holder(), first);
	});

	test('that hangs answers nothing, and its reads are asked of the next one', async t => {
		const copy = await simulatedCopy(t);
		const mount = await startMount(copy);
		const life = copy.movers.pair(copy.of.recoveryId).mount;
		life.hang();
		await assert.rejects(mount.control.state(), { code: 'mover_unreachable' });
		assert.notEqual(await mount.holder(), undefined);
		const read = assert.rejects(copy.read(0, 512), { code: 'mover_unreachable' });
		await mount.end();
		await read;
		await mount.start();
		assert.equal((await copy.read(0, 512)).length, 512);
	});

	test('that cannot be killed goes on', async t => {
		const copy = await simulatedCopy(t);
		const mount = await startMount(copy);
		copy.movers.pair(copy.of.recoveryId).mount.killable = false;
		assert.equal(await mount.end(), false);
		assert.equal((await copy.read(0, 512)).length, 512);
	});

	test('whose start was overtaken by its end does not live', async t => {
		const copy = await simulatedCopy(t);
		const asked = Promise.withResolvers<void>();
		const targets = () => copy.of.targets();
		const mount = copy.movers.mount({ ...copy.of, targets: () => asked.promise.then(targets) });
		const started = mount.start();
		await mount.end();
		asked.resolve();
		await started;
		assert.equal(await mount.holder(), undefined);
	});

	test('that cannot open its target has ended by the time it was started', async t => {
		const copy = await simulatedCopy(t);
		const [target] = await copy.of.targets();
		assert.ok(target);
		const mount = copy.movers.mount({ ...copy.of, targets: async () => [{ ...target, identity: 'another' }] });
		await mount.start();
		assert.equal(await mount.holder(), undefined);
		assert.match(String(copy.movers.pair(copy.of.recoveryId).mount.failure), /another target/);
	});

	test('waits for a repository mover that is dead, says so, and goes on with the next', async t => {
		const copy = await simulatedCopy(t);
		const mount = await startMount(copy);
		await copy.movers.repository(copy.of.repository).end();
		const read = copy.read(0, 512);
		await turn();
		const { waitingReads, failure } = await mount.control.state();
		assert.equal(waitingReads, 1);
		assert.equal(failure?.code, 'mover_unreachable');
		await copy.movers.repository(copy.of.repository).start();
		assert.deepEqual(await read, copy.stored.bytes.subarray(0, 512));
	});

	test('answers a read of a damaged chunk with an error, and names the chunk', async t => {
		const copy = await simulatedCopy(t);
		const mount = await startMount(copy);
		await damagePack(copy.stored, 5_000);
		await assert.rejects(copy.read(0, asServed(copy.stored).length), { code: 'io_failed' });
		assert.ok((await mount.control.state()).badChunks.length > 0);
	});
});

suite('a simulated migration mover', () => {
	test('copies all, and records what is on stable storage and nothing before', async t => {
		const places: string[] = [];
		const copy = await simulatedCopy(t, { reached: place => places.push(place) });
		const state = await copied(await startMigration(copy));
		assert.equal(state.failure, null);
		assert.deepEqual(
			state.disks.map(({ complete }) => complete),
			[true],
		);
		assert.deepEqual(await copy.target(), asServed(copy.stored));
		assert.equal((await copy.restored()).complete, true);
		assert.deepEqual(places.slice(0, 3), ['migration.data-written', 'migration.data-synced', 'migration.recorded']);
	});

	test('lets the mount mover read what is local at the target', async t => {
		const copy = await simulatedCopy(t);
		const mount = await startMount(copy);
		const read = copy.read(0, 512);
		copy.movers.pair(copy.of.recoveryId).holdReads();
		await copied(await startMigration(copy));
		assert.deepEqual(await read, copy.stored.bytes.subarray(0, 512), 'a read that waited did not become local');
		const expected = asServed(copy.stored);
		assert.deepEqual(await copy.read(0, expected.length), expected);
		assert.ok(((await mount.control.state()).counters['localReads'] ?? 0) > 0);
	});

	test('takes what the guest has read, so that it is not fetched again', async t => {
		const copy = await simulatedCopy(t);
		await startMount(copy);
		const migration = await startMigration(copy);
		await copy.read(0, asServed(copy.stored).length);
		const { dataBytes } = copy.stored.image;
		const recorded = async () => (await copy.restored()).restoredBytes >= dataBytes;
		await waitFor('what was read to be recorded', recorded, { timeoutMs: 10_000 });
		const repository = copy.movers.repository(copy.of.repository);
		const before = (await repository.control.state()).served.chunks;
		await copied(migration);
		const after = (await repository.control.state()).served.chunks;
		assert.equal(after - before, 0, 'chunks were fetched again');
		assert.deepEqual(await copy.target(), asServed(copy.stored));
	});

	for (const place of ['migration.data-written', 'migration.data-synced', 'migration.recorded'])
		test(`that is killed at ${place} has recorded nothing that is not there, and the next one copies the rest`, async t => {
			let kill = () => {};
			const copy = await simulatedCopy(t, { reached: at => at === place && kill() });
			const { migration: life } = copy.movers.pair(copy.of.recoveryId);
			const migration = await startMigration(copy);
			const dead = Promise.withResolvers<void>();
			kill = () => {
				kill = () => {};
				dead.resolve(life.die());
			};
			await migration.control.copy(0);
			await dead.promise;
			assert.equal(await migration.holder(), undefined);
			const { complete } = await copy.restored();
			if (complete) assert.deepEqual(await copy.target(), asServed(copy.stored));
			await migration.start();
			await copied(migration);
			assert.equal((await copy.restored()).complete, true);
			assert.deepEqual(await copy.target(), asServed(copy.stored));
		});

	test('stops at damaged chunks after the others, and copies them after a repair', async t => {
		const copy = await simulatedCopy(t);
		const migration = await startMigration(copy);
		const repair = await damagePack(copy.stored, 5_000);
		const stopped = await copied(migration);
		assert.equal(stopped.failure?.code, 'chunk_bad');
		assert.ok(stopped.badChunks.length > 0);
		await repair();
		await migration.control.retry();
		await copied(migration);
		assert.deepEqual(await copy.target(), asServed(copy.stored));
	});

	test('finds no space, and says so', async t => {
		const copy = await simulatedCopy(t, { freeBytes: async () => 0 });
		assert.equal((await copied(await startMigration(copy))).failure?.code, 'space_short');
	});

	test('keeps to its rate by the clock that it is given', async t => {
		const clock = new TestClock();
		const copy = await simulatedCopy(t, { clock });
		const migration = await startMigration(copy);
		const begun = clock.now();
		const { dataBytes } = copy.stored.image;
		await migration.control.copy(dataBytes / 10);
		assert.equal((await migration.control.state()).maxRateBytes, dataBytes / 10);
		await copiedBy(migration);
		assert.equal((await copy.restored()).complete, true);
		const tookMs = clock.now() - begun;
		assert.ok(tookMs > 9_000 && tookMs < 11_000, `${dataBytes} bytes at a tenth of that a second took ${tookMs} ms`);
	});

	test('that was ended writes nothing any more', async t => {
		const copy = await simulatedCopy(t);
		const migration = await startMigration(copy);
		await migration.control.copy(0);
		await turn();
		assert.equal(await migration.end(), true);
		const before = await copy.target();
		await turn();
		assert.deepEqual(await copy.target(), before);
	});
});
