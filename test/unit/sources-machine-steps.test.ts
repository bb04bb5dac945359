import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { keys } from '../../repository/format/keys.ts';
import { listPoints, readPoint } from '../../repository/points.ts';
import { beginMoment } from '../../sources/machine/steps/begin.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { giveUp } from '../../sources/machine/steps/give-up.ts';
import { Faults } from '../../sources/simulated-machine/faults.ts';
import { begun, block, factsOf, imported, name, ordered, site, tagsLeft } from '../equipment/machine-import-site.ts';
import { WatchedStore } from '../equipment/mortal-store.ts';
import { collect, importDisks, wholeSource } from '../equipment/repositories.ts';
import { beginsWhatWasNotPlanned, wrongly } from '../equipment/wrong-machine-sources.ts';

test('a point tells where its machine came from, and what is only assumed of it', async t => {
	const places = await site(t);
	const { time, tag } = await imported(places);
	const { manifest } = await readPoint(places.repository, name, time);
	assert.equal(manifest.importId, tag);
	assert.partialDeepStrictEqual(manifest.config, { cpus: 2, memoryMiB: 512, origin: { kind: 'simulated' } });
	assert.partialDeepStrictEqual(await factsOf(places.repository, time), {
		kind: 'simulated',
		identity: 'machine-1',
		consistency: 'crash',
		together: true,
		disks: [{ key: 'disk-0', reads: 'all' }, { key: 'disk-1' }],
		leftOut: [{ what: 'cdrom', why: 'it is read-only' }],
		unknown: ['cpus', 'nics'],
	});
});

test('an import that was given up cannot publish any more, and leaves nothing', async t => {
	const places = await site(t);
	const copy = await begun(places);
	await new Faults(places.machine.files.faults).set([{ at: 'read', does: 'source_unreachable' }]);
	await assert.rejects(copyMoment(places, copy), { code: 'source_unreachable' });
	const intent = keys.intent(copy.order.tag);
	assert.notEqual(await places.repository.store.size(intent), undefined);
	assert.equal(await giveUp(places, copy.order), 'given-up');
	assert.equal(await giveUp(places, copy.order), 'given-up');
	assert.deepEqual(await tagsLeft(places), []);
	assert.equal(await places.repository.store.size(intent), undefined);
	// An attempt that nobody knew of, and that has the moment still.
	const moment = await beginMoment(places, copy.order);
	await assert.rejects(copyMoment(places, { ...copy, moment }), { code: 'point_exists' });
	assert.equal((await ordered(places)).base, null);
});

test('nothing is taken away from an import before its point can be made no more', async t => {
	const places = await site(t);
	const { order } = await begun(places);
	const before = async (call: string) => {
		if (call.startsWith('put')) throw new Error('the store is away');
	};
	const store = new WatchedStore(places.repository.store, { before, after: async () => {} });
	const repository = { ...places.repository, store };
	await assert.rejects(giveUp({ ...places, repository }, order), /the store is away/);
	assert.deepEqual(await tagsLeft(places), [order.tag]);
});

test('from an import that has made its point nothing is taken away where it was to be given up', async t => {
	const places = await site(t);
	const first = await imported(places);
	const copy = await begun(places);
	await copyMoment(places, copy);
	const before = await tagsLeft(places);
	assert.equal(before.length, 2);
	await new Faults(places.machine.files.faults).set([{ at: 'commit', does: 'source_unreachable' }]);
	assert.equal(await giveUp(places, copy.order), 'published', 'whatever comes of its commit');
	assert.deepEqual(await tagsLeft(places), before);
	assert.deepEqual(await listPoints(places.repository, name), [first.time, copy.order.time]);
});

test('nothing is committed before the point is there', async t => {
	const places = await site(t);
	await imported(places);
	const before = await tagsLeft(places);
	const { order } = await begun(places);
	await assert.rejects(commitMoment(places, order), { code: 'phase_wrong' });
	assert.deepEqual((await tagsLeft(places)).toSorted(), [...before, order.tag].toSorted());
});

test("a commit that comes late keeps the latest point's checkpoint, and drops its own", async t => {
	const places = await site(t);
	const early = await begun(places);
	await copyMoment(places, early);
	const late = await imported(places);
	assert.deepEqual(await tagsLeft(places), [late.tag]);
	await commitMoment(places, early.order);
	assert.deepEqual(await tagsLeft(places), [late.tag]);
});

test('a copy that is asked for once more says what there is, and asks its source nothing', async t => {
	const places = await site(t);
	const copy = await begun(places);
	const { restorePoint, manifestDigest } = await copyMoment(places, copy);
	await places.source.abandon(copy.moment);
	assert.deepEqual(await copyMoment(places, copy), {
		restorePoint,
		manifestDigest,
		newBytes: 0,
		storedBytes: 0,
		reads: [],
		warnings: [],
	});
});

test('of a moment without a name there is one attempt', async t => {
	const places = await site(t);
	const copy = await begun(places);
	const nameless = { ...copy, moment: { ...copy.moment, moment: null } };
	await new Faults(places.machine.files.faults).set([{ at: 'read', does: 'source_unreachable' }]);
	await assert.rejects(copyMoment(places, nameless), { code: 'source_unreachable' });
	assert.deepEqual(await collect(places.repository.store.list(keys.intents)), []);
});

test('what a manifest has no room for is refused before a moment is begun', async t => {
	const places = await site(t);
	const long = Array.from({ length: 64 }, (_, number) => ({
		key: `${'"'.repeat(190)}${number}`,
		sizeBytes: block,
		slot: null,
		serial: null,
		sectors: null,
	}));
	const source = Object.assign(Object.create(places.source), {
		describe: async () => ({
			...(await places.source.describe()),
			disks: long,
			leftOut: Array.from({ length: 32 }, () => ({ what: '"'.repeat(100), why: '"'.repeat(200) })),
		}),
		plan: async () => ({
			disks: long.map(({ key }) => ({ key, reads: 'all', why: 'so' })),
			consistency: 'crash',
			cost: null,
			warnings: [],
		}),
	});
	await assert.rejects(ordered({ ...places, source }), { code: 'source_invalid', message: /has room for/ });
});

test('disks that changed between plan and moment are source_changed', async t => {
	const places = await site(t);
	const order = await ordered(places);
	await places.machine.resize('disk-0', block);
	await assert.rejects(beginMoment(places, order), { code: 'source_changed' });
	assert.equal(await giveUp(places, order), 'given-up');
});

test('a source that begins a moment of other disks than were planned is not believed', async t => {
	const places = await site(t);
	const order = await ordered(places);
	await places.machine.addDisk('disk-2', block);
	const source = beginsWhatWasNotPlanned(places.source, places.machine);
	await assert.rejects(beginMoment({ ...places, source }, order), { code: 'source_changed' });
});

test("an import whose point's time is another import's is given up like any other", async t => {
	const places = await site(t);
	const { order } = await begun(places);
	await importDisks(places.repository, [wholeSource(Buffer.alloc(512))], { machine: name, time: order.time });
	await assert.rejects(commitMoment(places, order), { code: 'point_exists' });
	assert.equal(await giveUp(places, order), 'given-up');
	assert.deepEqual(await tagsLeft(places), []);
});

test('nothing of the checkpoint before is dropped until the name of the new point is durable', async t => {
	const places = await site(t);
	await imported(places);
	const copy = await begun(places);
	await copyMoment(places, copy);
	const before = await tagsLeft(places);
	const store = new WatchedStore(places.repository.store, {
		before: async call => {
			if (call.startsWith('settle')) throw new Error('the store is away');
		},
		after: async () => {},
	});
	const away = { ...places, repository: { ...places.repository, store } };
	await assert.rejects(commitMoment(away, copy.order), /the store is away/);
	assert.deepEqual(await tagsLeft(places), before);
});

test('an address with a password in it is no description', async t => {
	const places = await site(t);
	const source = wrongly(right => ({
		describe: async until => ({ ...(await right.describe(until)), uri: 'ssh://root:secret@web01/' }),
	}))(places.source, places.machine);
	await assert.rejects(ordered({ ...places, source }), (error: unknown) => {
		assert.ok(error instanceof RouseError && error.code === 'source_invalid');
		assert.doesNotMatch(error.message, /secret/);
		return true;
	});
});

test('what a source expects to be read of a disk counts, also without a base; what it expects of changes alone does not', async t => {
	const places = await site(t);
	for (const [reads, expected] of [
		['all', [1000, 2 * block]],
		['changes', [4 * block, 2 * block]],
	] as const) {
		const source = wrongly(right => ({
			async plan(...of) {
				const told = await right.plan(...of);
				const [first, ...others] = told.disks;
				assert.ok(first);
				return { ...told, disks: [{ ...first, reads, why: null, expectedBytes: 1000 }, ...others] };
			},
		}))(places.source, places.machine);
		const { plan } = await ordered({ ...places, source });
		assert.deepEqual(
			plan.disks.map(({ expectedBytes }) => expectedBytes),
			expected,
		);
	}
});
