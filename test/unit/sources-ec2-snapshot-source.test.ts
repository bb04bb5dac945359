import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { suite, test } from 'node:test';
import { parseEc2SnapshotUri } from '../../sources/ec2/address.ts';
import { blockBytes } from '../../sources/ec2/cloud.ts';
import { Ec2SnapshotSource } from '../../sources/ec2/snapshot-source.ts';
import { beginMoment, isReady } from '../../sources/machine/steps/begin.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { giveUp } from '../../sources/machine/steps/give-up.ts';
import { makeOrder } from '../../sources/machine/steps/make-order.ts';
import type { Repository } from '../../repository/repository.ts';
import { clockOf, region, sampleRegion } from '../equipment/ec2/bench.ts';
import { MemoryCloud } from '../equipment/ec2/memory-cloud.ts';
import { readStoredDisks } from '../equipment/ec2/stored-disks.ts';
import { collect, memoryRepository, noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();

class Site {
	readonly of;
	readonly volumeId: string;
	readonly repository: Repository;

	constructor(repository: Repository) {
		const { of, volumes } = sampleRegion();
		this.of = of;
		[this.volumeId] = volumes;
		this.repository = repository;
	}

	static async make(): Promise<Site> {
		return new Site(await memoryRepository(128 * 1024));
	}

	/** Of the volume as it is, by somebody else. */
	snapshot(): { id: string; content: Buffer } {
		this.of.ms += 60_000;
		const { snapshotId } = this.of.snapshot(this.volumeId, { owner: 'ops' }, new Date(this.of.ms).toISOString());
		return { id: snapshotId, content: Buffer.from(this.of.content(this.volumeId)) };
	}

	places(snapshotId: string) {
		const cloud = new MemoryCloud(this.of);
		const source = new Ec2SnapshotSource({ region, snapshotId }, cloud, { clock: clockOf(this.of) });
		return { source, repository: this.repository, signal };
	}

	order(snapshotId: string) {
		const wish = { importId: randomUUID(), machine: 'web01', spec: {}, now: new Date(this.of.ms) };
		return makeOrder(this.places(snapshotId), wish);
	}

	/** Whether changes were read, and what is in the point. */
	async import(snapshotId: string) {
		const places = this.places(snapshotId);
		const order = await this.order(snapshotId);
		const moment = await beginMoment(places, order);
		while (!(await isReady(places, moment))) assert.ok(this.of.ms > 0);
		const { reads } = await copyMoment(places, { order, moment });
		await commitMoment(places, order);
		const [stored] = await readStoredDisks(this.repository, 'web01', order.time);
		return { reads: reads[0]?.reads, why: order.plan.disks[0]?.why, takenAt: moment.takenAt, stored };
	}
}

suite('a snapshot of EBS that somebody else has made', () => {
	test('is a machine of one disk; of a later one of the same volume only what differs is read, and both stay', async () => {
		const site = await Site.make();
		const first = site.snapshot();
		noise(1000, 7).copy(site.of.content(site.volumeId), 2 * blockBytes + 512);
		const second = site.snapshot();
		const whole = await site.import(first.id);
		assert.equal(whole.reads, 'all');
		assert.ok(whole.stored?.equals(first.content));
		site.of.calls.length = 0;
		const changes = await site.import(second.id);
		assert.equal(changes.reads, 'changes');
		assert.ok(changes.stored?.equals(second.content));
		assert.equal(site.of.callsOf('ebs:GetSnapshotBlock').length, 1);
		assert.deepEqual([...site.of.snapshots.keys()], [first.id, second.id]);
		assert.deepEqual(await collect(site.places(first.id).source.leftovers()), []);
	});

	test('is read whole, and the plan says why, where it is not the later one or the earlier one is gone', async () => {
		const site = await Site.make();
		const [first, second, third] = [site.snapshot(), site.snapshot(), site.snapshot()];
		await site.import(second.id);
		for (const { id } of [first, second]) {
			const { plan } = await site.order(id);
			assert.deepEqual(plan.disks[0]?.why, `snapshot ${second.id} is not an earlier one`);
		}
		site.of.snapshots.delete(second.id);
		const again = await site.import(third.id);
		assert.deepEqual([again.reads, again.why], ['all', `snapshot ${second.id} is gone`]);
		assert.ok(again.stored?.equals(third.content));
	});

	test('that is a copy is read whole: what volume the one before is of, whose number is the same, nobody knows', async () => {
		const site = await Site.make();
		const copies = [site.snapshot(), site.snapshot()];
		for (const { id } of copies) {
			const copy = site.of.snapshots.get(id);
			assert.ok(copy);
			copy.snapshot.volumeId = 'vol-ffffffff';
			const { reads, why } = await site.import(id);
			assert.equal(reads, 'all');
			if (id !== copies[0]?.id) assert.match(why ?? '', /a copy/);
		}
	});

	test('stays when its import is given up, and is moment_lost when it goes meanwhile', async () => {
		const site = await Site.make();
		const { id } = site.snapshot();
		const places = site.places(id);
		const order = await site.order(id);
		const moment = await beginMoment(places, order);
		await giveUp(places, order);
		assert.ok(site.of.snapshots.has(id));
		site.of.snapshots.clear();
		await assert.rejects(isReady(places, moment), { code: 'moment_lost' });
		await assert.rejects(site.order(id), { code: 'machine_unknown' });
	});

	test('of another volume than was planned is no moment', async () => {
		const site = await Site.make();
		const { id } = site.snapshot();
		const order = await site.order(id);
		const kept = site.of.snapshots.get(id);
		assert.ok(kept);
		kept.snapshot.volumeId = [...site.of.volumes.keys()].find(one => one !== site.volumeId) ?? '';
		await assert.rejects(beginMoment(site.places(id), order), { code: 'identity_conflict' });
	});

	test('has no address with anything else in it', () => {
		const uri = 'ec2-snapshot://eu-central-1/snap-0123456789abcdef0';
		assert.deepEqual(parseEc2SnapshotUri(uri), { region: 'eu-central-1', snapshotId: 'snap-0123456789abcdef0' });
		for (const wrong of [`${uri}?x=1`, `${uri}/`, 'ec2-snapshot://eu-central-1/i-0123456789abcdef0'])
			assert.throws(() => parseEc2SnapshotUri(wrong), { code: 'config_invalid' });
	});
});
