import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { blockBytes } from '../../sources/ec2/cloud.ts';
import { Ec2MachineSource } from '../../sources/ec2/source.ts';
import { beginMoment, isReady } from '../../sources/machine/steps/begin.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { makeOrder } from '../../sources/machine/steps/make-order.ts';
import { waitFor } from '../../system/wait.ts';
import { clockOf, region, sampleRegion } from '../equipment/ec2/bench.ts';
import { MemoryCloud } from '../equipment/ec2/memory-cloud.ts';
import { readStoredDisks } from '../equipment/ec2/stored-disks.ts';
import { memoryRepository, noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();

/** Of the root volume in each round: a write within one block, one across two, and one that leaves zeros. */
const rounds = [
	{ write: noise(1000, 10), at: 77_824, blocks: 6 },
	{ write: noise(4096, 11), at: 3 * blockBytes - 2048, blocks: 2 },
	{ write: Buffer.alloc(blockBytes), at: 2 * blockBytes, blocks: 0 },
];

test('increments of an EC2 instance are what its volumes were, and each block that has changed is fetched once', async () => {
	const { of, instanceId, volumes } = sampleRegion();
	const source = new Ec2MachineSource({ region, instanceId }, new MemoryCloud(of), { clock: clockOf(of) });
	const places = { source, repository: await memoryRepository(128 * 1024), signal };
	for (const [round, { write, at, blocks }] of rounds.entries()) {
		write.copy(of.content(volumes[0]), at);
		const held = volumes.map(volumeId => Buffer.from(of.content(volumeId)));
		const now = new Date(Date.UTC(2026, 10, 20, 3, round));
		const order = await makeOrder(places, { importId: randomUUID(), machine: 'web01', spec: {}, now });
		const moment = await beginMoment(places, order);
		await waitFor('the moment', () => isReady(places, moment), { timeoutMs: 10_000 });
		noise(512, 90).copy(of.content(volumes[0]), 0);
		of.calls.length = 0;
		const { reads } = await copyMoment(places, { order, moment });
		held[0]?.copy(of.content(volumes[0]), 0, 0, 512);
		await commitMoment(places, order);
		const how = round === 0 ? 'all' : 'changes';
		assert.deepEqual(
			reads.map(one => one.reads),
			[how, how],
		);
		for (const [number, bytes] of (await readStoredDisks(places.repository, 'web01', order.time)).entries())
			assert.ok(bytes.equals(held[number] ?? Buffer.alloc(0)), `disk ${number} of round ${round} is not what it was`);
		const fetched = of.callsOf('ebs:GetSnapshotBlock');
		assert.equal(new Set(fetched).size, fetched.length, 'a block is fetched twice');
		assert.equal(fetched.length, blocks, `round ${round}: ${fetched.join(', ')}`);
		assert.equal(of.snapshots.size, 2);
	}
});
