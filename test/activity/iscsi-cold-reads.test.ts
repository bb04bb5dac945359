import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../system/wait.ts';
import { captive } from '../equipment/captive.ts';
import { qemuIo, startSampleTarget } from '../equipment/iscsi-targets.ts';
import { mountState } from '../equipment/mount-movers.ts';
import { startRepositoryMover } from '../equipment/movers.ts';
import { run } from '../equipment/served-disk.ts';
import { sourceOf } from '../equipment/stored-disk.ts';
import { serveVolume } from '../equipment/volumes.ts';

const MiB = 1024 * 1024;

test('forty reads wait for the repository: others of the volume do not, nor writes, and no read has failed', async t => {
	const served = await serveVolume(t, [sourceOf(randomBytes(32 * MiB))]);
	const { mover, repository, volume, partition, payloadsAt, directory } = served;
	const target = await startSampleTarget(t, mover.config.nbdSocket);
	const diskAt = partition.offsetBytes + (volume.files[0]?.extents[0]?.offsetBytes ?? 0) + (payloadsAt[0] ?? 0);
	// Into the mover's memory; chunks at a distance, so that no others are fetched ahead.
	const atHand = `read ${diskAt} 64k`;
	await run('qemu-io', qemuIo(target, [atHand]));
	await repository.end('SIGKILL');
	const cold = Array.from({ length: 40 }, (_, number) => `aio_read ${diskAt + (8 + number * 4) * 128 * 1024} 4k`);
	const waiting = captive(t, 'qemu-io', qemuIo(target, [...cold, 'aio_flush']));
	await mountState(mover, 'reads to wait', ({ waitingReads }) => waitingReads >= 16);
	const metadataAt = volume.sizeBytes - 512 * 1024;
	const others = [`write -P 0x5a ${metadataAt} 64k`, 'flush', `read -P 0x5a ${metadataAt} 64k`, atHand];
	const said = await run('qemu-io', qemuIo(target, others));
	assert.doesNotMatch(said, /failed/);
	assert.equal(waiting.child.exitCode, null);
	await startRepositoryMover(t, directory, join(directory, 'repository'));
	await waitFor('them to come', () => waiting.child.exitCode !== null, { timeoutMs: 30_000 });
	assert.equal(waiting.said().match(/read 4096\/4096 bytes/g)?.length, 40);
	assert.doesNotMatch(waiting.said(), /failed/);
});
