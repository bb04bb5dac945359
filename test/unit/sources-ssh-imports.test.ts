import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { readSourceFacts } from '../../model/source-facts.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { readPoint } from '../../repository/points.ts';
import { StoredDiskReader } from '../../repository/stored-disk.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { beginMoment } from '../../sources/machine/steps/begin.ts';
import { commitMoment } from '../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { giveUp } from '../../sources/machine/steps/give-up.ts';
import { makeOrder } from '../../sources/machine/steps/make-order.ts';
import type { StepPlaces } from '../../sources/machine/steps/places.ts';
import { SshMachineSource } from '../../sources/ssh/source.ts';
import { extentBytes } from '../equipment/pretended-lvm/group.ts';
import { PretendedMachine, PretendedPlatform } from '../equipment/pretended-lvm/machine.ts';
import { memoryRepository, noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const keys = ['serial-one', 'serial-two'];

async function ordered(places: StepPlaces) {
	return makeOrder(places, { importId: randomUUID(), machine: 'db1', spec: {}, now: new Date() });
}

async function storedDisks({ repository }: StepPlaces, restorePoint: string): Promise<Buffer[]> {
	const { manifest } = await readPoint(repository, 'db1', restorePoint);
	assert.equal(readSourceFacts(manifest.facts)?.kind, 'ssh');
	const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
	return Promise.all(
		manifest.disks.map(async image => {
			const bytes = Buffer.alloc(image.sizeBytes);
			await new StoredDiskReader(chunks, image).read(0, bytes, signal);
			return bytes;
		}),
	);
}

test('imports over SSH store each moment as it was, the next ones what changed; one that is lost is given up, and nothing is left', async () => {
	const machine = new PretendedMachine();
	const source = new SshMachineSource({ uri: 'ssh://root@db1/', platform: new PretendedPlatform(machine) });
	const places: StepPlaces = { source, repository: await memoryRepository(extentBytes), signal };
	for (const round of [0, 1, 2]) {
		const order = await ordered(places);
		assert.equal(order.base === null, round === 0);
		const expected = keys.map(key => Buffer.from(machine.content(key)));
		const moment = await beginMoment(places, order);
		machine.group.write(machine.vda, 3 * extentBytes, noise(extentBytes, 30 + round));
		const result = await copyMoment(places, { order, moment });
		assert.deepEqual(await storedDisks(places, result.restorePoint), expected);
		if (round > 0) {
			assert.ok(result.reads.every(({ reads }) => reads === 'changes'));
			assert.ok(result.newBytes <= 2 * extentBytes, `${result.newBytes} bytes were new`);
		}
		await commitMoment(places, order);
		assert.deepEqual(machine.group.snapshots, []);
	}
	const order = await ordered(places);
	const moment = await beginMoment(places, order);
	for (const one of machine.group.snapshots) one.isFull = true;
	await assert.rejects(copyMoment(places, { order, moment }), { code: 'moment_lost' });
	assert.equal(await giveUp(places, order), 'given-up');
	assert.deepEqual(machine.group.snapshots, []);
	await source.close();
});
