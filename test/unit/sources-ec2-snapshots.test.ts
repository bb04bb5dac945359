import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { suite, test } from 'node:test';
import { Ec2MachineSource } from '../../sources/ec2/source.ts';
import type { BeginOrder } from '../../sources/machine/documents.ts';
import { ownerOf } from '../../sources/machine/owner.ts';
import { clockOf, region, sampleRegion } from '../equipment/ec2/bench.ts';
import { MemoryCloud } from '../equipment/ec2/memory-cloud.ts';
import { collect } from '../equipment/repositories.ts';

const { signal } = new AbortController();

class Site {
	readonly of;
	readonly instanceId: string;
	readonly source: Ec2MachineSource;

	constructor(onCreate: (of: ReturnType<typeof sampleRegion>['of'], place: string) => void = () => {}) {
		const { of, instanceId } = sampleRegion();
		this.of = of;
		this.instanceId = instanceId;
		const cloud = new MemoryCloud(of, place => onCreate(of, place));
		this.source = new Ec2MachineSource({ region, instanceId }, cloud, { reached: () => {}, clock: clockOf(of) });
	}

	async order(machine = 'web01'): Promise<BeginOrder> {
		const described = await this.source.describe(signal);
		const { identity } = described;
		const owner = ownerOf('6f0c2a7e-3f5d-4a53-9a83-0d8c1f0a7b11', machine, identity);
		const plan = await this.source.plan(described, null, signal);
		return { tag: randomUUID(), owner, identity, described, plan, since: null };
	}

	get sets(): number {
		return this.of.callsOf('ec2:CreateSnapshots').length;
	}

	get left(): number {
		return this.of.snapshots.size;
	}
}

suite('snapshots of an instance', () => {
	test('are found when the answer of the call that made them is lost', async () => {
		const site = new Site();
		site.of.faults.push({ call: 'ec2:CreateSnapshots', fault: 'unreachable', after: true, times: 1 });
		await site.source.begin(await site.order(), signal);
		assert.deepEqual([site.sets, site.left], [1, 2]);
	});

	test('are asked for again when the call was not done', async () => {
		const site = new Site();
		site.of.faults.push({ call: 'ec2:CreateSnapshots', fault: 'throttled', times: 2 });
		await site.source.begin(await site.order(), signal);
		assert.deepEqual([site.sets, site.left], [3, 2]);
	});

	test('of two calls are those of the first one, when both are known at last', async () => {
		const site = new Site();
		const order = await site.order();
		site.of.hiddenLooks = 1;
		site.of.faults.push({ call: 'ec2:CreateSnapshots', fault: 'unreachable', after: true, times: 1 });
		const second = await site.source.begin(order, signal);
		assert.equal(site.left, 4);
		const first = await site.source.begin(order, signal);
		assert.notEqual(first.moment, second.moment);
		assert.ok(first.takenAt < second.takenAt);
		assert.deepEqual(await site.source.begin(order, signal), first);
		assert.equal(site.left, 2);
		await assert.rejects(site.source.ready(second, signal), { code: 'moment_lost' });
	});

	test('that are read are those that are kept, whatever else the tag turns out to have', async () => {
		const site = new Site();
		const order = await site.order();
		site.of.hiddenLooks = 1;
		site.of.faults.push({ call: 'ec2:CreateSnapshots', fault: 'unreachable', after: true, times: 1 });
		const moment = await site.source.begin(order, signal);
		while ((await site.source.ready(moment, signal)) === 'pending') assert.ok(site.left <= 4);
		await site.source.commit(moment, { droppable: [] }, signal);
		const since = { tag: moment.tag, checkpoint: moment.checkpoint ?? null };
		const { disks } = await site.source.plan(order.described, since, signal);
		assert.deepEqual([disks.map(({ reads }) => reads), site.left], [['changes', 'changes'], 2]);
	});

	test('that are read stay where those of another call become known behind the reading; both go with the next import', async () => {
		const site = new Site();
		const order = await site.order();
		site.of.hiddenLooks = 2;
		site.of.faults.push({ call: 'ec2:CreateSnapshots', fault: 'unreachable', after: true, times: 1 });
		const moment = await site.source.begin(order, signal);
		site.of.hiddenLooks = 0;
		const sets = Map.groupBy(site.of.snapshots.values(), ({ snapshot }) => snapshot.tags['rouse-set'] ?? '');
		for (const [set, snapshots] of sets) for (const one of snapshots) one.hiddenLooks = set === moment.moment ? 0 : 100;
		while ((await site.source.ready(moment, signal)) === 'pending') assert.equal(site.left, 4);
		for (const one of site.of.snapshots.values()) one.hiddenLooks = 0;
		await site.source.commit(moment, { droppable: [] }, signal);
		const since = { tag: moment.tag, checkpoint: moment.checkpoint ?? null };
		const { disks } = await site.source.plan(order.described, since, signal);
		assert.deepEqual(
			disks.map(({ reads }) => reads),
			['changes', 'changes'],
		);
		const next = await site.order();
		await site.source.begin(next, signal);
		await site.source.commit(next, { droppable: [order.tag] }, signal);
		assert.equal(site.left, 2);
	});

	test('are not known at once, and are waited for, whatever the clock here says', async () => {
		const site = new Site();
		site.of.hiddenLooks = 3;
		const moment = await site.source.begin(await site.order(), signal);
		site.of.ms += 3_600_000;
		assert.equal(await site.source.ready(moment, signal), 'pending');
		assert.equal(await site.source.ready(moment, signal), 'ready');
	});

	test('that have failed are no moment, and are made anew', async () => {
		const site = new Site();
		const order = await site.order();
		const moment = await site.source.begin(order, signal);
		const [one] = site.of.snapshots.values();
		assert.ok(one);
		one.snapshot.state = 'error';
		await assert.rejects(site.source.ready(moment, signal), { code: 'moment_lost' });
		const again = await site.source.begin(order, signal);
		assert.notEqual(again.moment, moment.moment);
		assert.equal(site.left, 2);
	});

	test('have all their tags from the call on', async () => {
		const site = new Site();
		const order = await site.order();
		await site.source.begin(order, signal);
		for (const { snapshot } of site.of.snapshots.values()) {
			assert.equal(snapshot.tags['rouse-import'], order.tag);
			assert.equal(snapshot.tags['rouse-owner'], order.owner);
			assert.equal(snapshot.tags['rouse-disks'], '2');
		}
	});

	test('of a volume that comes between the look and the call are source_changed, and go', async () => {
		let isFirst = true;
		const site = new Site((of, place) => {
			if (place !== 'create-disk' || !isFirst) return;
			isFirst = false;
			of.attach([...of.instances.keys()][0] ?? '', '/dev/sdh', 512 * 1024);
		});
		await assert.rejects(site.source.begin(await site.order(), signal), { code: 'source_changed' });
		assert.equal(site.left, 0);
	});

	test('too many at once are source_busy, and nothing is asked for twice', async () => {
		const site = new Site();
		site.of.faults.push({ call: 'ec2:CreateSnapshots', fault: 'too-many', times: 1 });
		await assert.rejects(site.source.begin(await site.order(), signal), { code: 'source_busy' });
		assert.equal(site.sets, 1);
	});

	test('that only look like ours are never deleted', async () => {
		const site = new Site();
		const order = await site.order();
		const [volumeId = ''] = site.of.volumes.keys();
		const { tag, owner } = order;
		const { owner: other } = await site.order('web02');
		// Also where AWS answers with more than was asked for.
		site.of.ignoresQueries = true;
		for (const tags of [
			{},
			{ 'rouse-import': tag },
			{ 'rouse-import': tag, 'rouse-owner': owner },
			{ 'rouse-import': tag, 'rouse-owner': `${owner}x`, 'rouse-set': randomUUID(), 'rouse-disks': '1' },
			{ 'rouse-import': tag, 'rouse-owner': other, 'rouse-set': randomUUID(), 'rouse-disks': '1' },
			{ 'rouse-import': randomUUID(), 'rouse-owner': owner, 'rouse-set': randomUUID(), 'rouse-disks': '1' },
		])
			site.of.snapshot(volumeId, tags, '2026-11-20T00:00:00.000Z');
		await site.source.begin(order, signal);
		await site.source.abandon(order, signal);
		assert.equal(site.left, 6);
		assert.equal((await collect(site.source.leftovers(undefined, signal))).length, 2);
		assert.equal((await collect(site.source.leftovers(owner, signal))).length, 1);
	});

	test('are whole beside a copy that has their tags, and the copy is never deleted', async () => {
		const site = new Site();
		const order = await site.order();
		const moment = await site.source.begin(order, signal);
		const [volumeId = ''] = site.of.volumes.keys();
		const [made] = site.of.snapshots.values();
		const { snapshotId } = site.of.snapshot(volumeId, made?.snapshot.tags ?? {}, '2026-11-19T00:00:00.000Z');
		const copy = site.of.snapshots.get(snapshotId);
		assert.ok(copy);
		copy.snapshot.volumeId = 'vol-ffffffff';
		assert.deepEqual(await site.source.begin(order, signal), moment);
		await site.source.abandon(order, signal);
		assert.deepEqual([...site.of.snapshots.keys()], [snapshotId]);
		assert.deepEqual(await collect(site.source.leftovers(undefined, signal)), []);
	});

	test('that are whole are kept, and not a part of others that the tag has', async () => {
		const site = new Site();
		const order = await site.order();
		const moment = await site.source.begin(order, signal);
		const [volumeId = ''] = site.of.volumes.keys();
		const [kept] = site.of.snapshots.values();
		const tags = kept?.snapshot.tags;
		for (const time of ['2026-11-19T00:00:00.000Z', '2026-11-21T00:00:00.000Z'])
			site.of.snapshot(volumeId, { ...tags, 'rouse-set': randomUUID() }, time);
		await site.source.commit(moment, { droppable: [] }, signal);
		const left = [...site.of.snapshots.values()].map(({ snapshot }) => snapshot.tags['rouse-set']);
		assert.deepEqual(left, [moment.moment, moment.moment]);
	});

	test('that an image was made of stay, and keep none of the others', async () => {
		const site = new Site();
		const order = await site.order();
		await site.source.begin(order, signal);
		const [first = ''] = site.of.snapshots.keys();
		site.of.inUse.add(first);
		await assert.rejects(site.source.abandon(order, signal), { code: 'source_busy' });
		assert.deepEqual([...site.of.snapshots.keys()], [first]);
	});

	test('that an image was made of do not keep those of earlier imports from going', async () => {
		const site = new Site();
		const orders = [await site.order(), await site.order(), await site.order()];
		for (const order of orders) await site.source.begin(order, signal);
		const [first, second, third] = orders;
		assert.ok(first && second && third);
		const [inUse = ''] = site.of.snapshots.keys();
		site.of.inUse.add(inUse);
		const droppable = [first.tag, second.tag];
		await assert.rejects(site.source.commit(third, { droppable }, signal), { code: 'source_busy' });
		const left = [...site.of.snapshots.values()].map(({ snapshot }) => snapshot.tags['rouse-import']);
		assert.deepEqual(left, [first.tag, third.tag, third.tag]);
	});

	test('that AWS shows only after their import was given up are looked for once more; later ones are told, and go when somebody sweeps', async () => {
		for (const [looks, left] of [
			[3, 0],
			[20, 2],
		] as const) {
			const site = new Site();
			const order = await site.order();
			site.of.hiddenLooks = looks;
			site.of.faults.push({ call: 'ec2:CreateSnapshots', fault: 'denied', after: true, times: 1 });
			await assert.rejects(site.source.begin(order, signal), { code: 'access_denied' });
			await site.source.abandon(order, signal);
			assert.equal(site.left, left);
			for (const one of site.of.snapshots.values()) one.hiddenLooks = 0;
			const told = await collect(site.source.leftovers(order.owner, signal));
			assert.deepEqual(
				told.map(({ tag, canDelete }) => [tag, canDelete]),
				Array.from({ length: left }, () => [order.tag, true]),
			);
			await site.source.abandon(order, signal);
			assert.equal(site.left, 0);
		}
	});

	test('that an image was made of keep no import from its moment', async () => {
		const site = new Site();
		const order = await site.order();
		const moment = await site.source.begin(order, signal);
		const [volumeId = ''] = site.of.volumes.keys();
		const [kept] = site.of.snapshots.values();
		const tags = { ...kept?.snapshot.tags, 'rouse-set': randomUUID() };
		const { snapshotId } = site.of.snapshot(volumeId, tags, '2026-11-21T00:00:00.000Z');
		site.of.inUse.add(snapshotId);
		assert.deepEqual(await site.source.begin(order, signal), moment);
		while ((await site.source.ready(moment, signal)) === 'pending') assert.equal(site.left, 3);
		await assert.rejects(site.source.commit(moment, { droppable: [] }, signal), { code: 'source_busy' }, 'it is told');
	});

	test('are read and given up when their instance is gone', async () => {
		const site = new Site();
		const order = await site.order();
		const moment = await site.source.begin(order, signal);
		site.of.instance(site.instanceId).state = 'terminated';
		await assert.rejects(site.source.describe(signal), { code: 'machine_unknown' });
		assert.deepEqual(await site.source.begin(order, signal), moment);
		await site.source.abandon(order, signal);
		assert.equal(site.left, 0);
	});
});
