import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DiskExport } from '../../movers/mount-mover/disk-export.ts';
import { MountedDisks } from '../../movers/mount-mover/mounted-disks.ts';
import { openLocalDisk } from '../../movers/mount-mover/open-local-disk.ts';
import { createRestoredMap } from '../../movers/restored-map/create.ts';
import { restoredMapIdentity } from '../../movers/restored-map/identity.ts';
import { openRestoredMapWriter } from '../../movers/restored-map/writer.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { readPoint } from '../../repository/points.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { systemClock } from '../../system/clock.ts';
import { importDisks, memoryRepository, noise, SparseSource } from '../equipment/repositories.ts';
import { bytesOf } from '../equipment/nbd-bytes.ts';
import { identityOf } from '../equipment/restored-maps.ts';

const chunk = 4096;
const content = noise(8 * chunk, 3);

test('`MountedDisks.lookAgain` leaves nothing in memory that has become local', async t => {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-restored-'));
	t.after(() => rm(directory, { recursive: true, force: true }));
	const repository = await memoryRepository(chunk);
	const source = new SparseSource(content.length, [{ offsetBytes: 0, bytes: content }]);
	const { restorePoint } = await importDisks(repository, [source]);
	const { manifest } = await readPoint(repository, 'web01', restorePoint);
	const [image = assert.fail()] = manifest.disks;
	const path = join(directory, 'disk0.raw');
	await writeFile(path, content);
	const target = { path, identity: await identityOf(path), offsetBytes: 0 };
	const mapPath = join(directory, 'disk0.map');
	const recoveryId = randomUUID();
	const identity = restoredMapIdentity(recoveryId, image, target.identity);
	await createRestoredMap(mapPath, identity, { targetReadsZero: true });
	const local = await openLocalDisk(recoveryId, { name: 'disk0', image, target, mapPath }, systemClock);
	t.after(() => local.close());
	const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
	const disks = [{ name: 'disk0', image, local }];
	const mounted = new MountedDisks({ disks, chunks, cacheBytes: 1024 * 1024, clock: systemClock });
	t.after(() => mounted.close());
	const [disk = assert.fail()] = mounted.disks;
	const { waiting, counters } = mounted;
	const served = new DiskExport('disk0', '', { disk, waiting, counters, patient: true });
	const read = () =>
		new Promise<unknown>(resolve => {
			served.readLater(0, content.length, result => resolve('errno' in result ? result : bytesOf(result)));
		});
	const inMemory = () => Array.from({ length: 8 }, (_, index) => index).filter(index => disk.isInMemory(index));

	assert.deepEqual(await read(), content);
	assert.equal(inMemory().length, 8);
	const writer = await openRestoredMapWriter(mapPath, identity);
	await writer.append([{ first: 2, count: 3 }]);
	await writer.close();
	await local.map.refresh();
	mounted.lookAgain();
	assert.deepEqual(inMemory(), [0, 1, 5, 6, 7]);
	assert.deepEqual(await read(), content);
});
