import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';
import { importMachine } from '../../repository/import/import-machine.ts';
import { readPoint } from '../../repository/points.ts';
import { importDisks, memoryRepository, noise, SparseSource } from '../equipment/repositories.ts';
import { SaidSource } from '../equipment/said-source.ts';
import { sampleConfig, sampleDisks } from '../equipment/sample-config.ts';

const machine = 'web01';
const baseTime = '2026-11-20T03:00:00.000Z';
const time = '2026-11-21T03:00:00.000Z';
const gib = 2 ** 30;
const tib = 2 ** 40;

/** 64 TiB with data in a hundred places, all of it told in pieces of less than 64 GiB that end inside of chunks. */
async function hugeImport() {
	const repository = await memoryRepository(128 * 1024);
	const pieces = Array.from({ length: 100 }, (_, number) => ({
		offsetBytes: number * 600 * gib + 4096 * number,
		bytes: noise(4096, number + 1),
	}));
	const base = await importDisks(repository, [new SparseSource(64 * tib, pieces)], { time: baseTime });
	let told = 0;
	const source: DiskSource = {
		sizeBytes: 64 * tib,
		baseDisk: 0,
		async *extents(): AsyncGenerator<SourceExtent> {
			for (let offsetBytes = 0; offsetBytes < 64 * tib; told++) {
				const lengthBytes = Math.min(64 * gib - 512, 64 * tib - offsetBytes);
				yield { offsetBytes, lengthBytes, kind: 'unchanged' };
				offsetBytes += lengthBytes;
			}
		},
		read: async () => assert.fail('nothing is read'),
		close: async () => {},
	};
	const request = { repository, machine, time, sources: [source], config: { ...sampleConfig, disks: sampleDisks(1) } };
	const { restorePoint, manifestDigest } = base;
	return { repository, request: { ...request, base: { restorePoint, manifestDigest } }, told: () => told };
}

test('`importMachine` of 64 TiB that are unchanged takes neither long nor memory', async () => {
	const { repository, request } = await hugeImport();
	const before = process.memoryUsage.rss();
	const { newBytes, warnings } = await importMachine(request);
	assert.ok(process.memoryUsage.rss() - before < 200 * 1024 * 1024);
	assert.deepEqual([newBytes, warnings], [0, []]);
	const [old, made] = await Promise.all([baseTime, time].map(at => readPoint(repository, machine, at)));
	assert.deepEqual(made?.manifest.disks, old?.manifest.disks);
});

test('`importMachine` that is aborted within a disk that is unchanged ends at once', async () => {
	const { request, told } = await hugeImport();
	const stopped = new RouseError('interrupted', 'by a test');
	const abort = new AbortController();
	const progress = () => abort.abort(stopped);
	await assert.rejects(importMachine(request, { signal: abort.signal, progress }), stopped);
	assert.ok(told() < 100, `${told()} extents were asked for`);
});

test('`importMachine` of one extent of 64 TiB that no base has gives the signal a chance between its reads', async () => {
	const repository = await memoryRepository(128 * 1024);
	const stopped = new RouseError('interrupted', 'by a test');
	const abort = new AbortController();
	const whole: SourceExtent = { offsetBytes: 0, lengthBytes: 64 * tib, kind: 'unchanged' };
	const source = Object.assign(new SaidSource(Buffer.alloc(1), [whole], 0), { sizeBytes: 64 * tib });
	const config = { ...sampleConfig, disks: sampleDisks(1) };
	const request = { repository, machine, time, sources: [source], config };
	let reads = 0;
	source.read = async (_offsetBytes, into) => {
		into.fill(0);
		if (++reads === 20) abort.abort(stopped);
	};
	await assert.rejects(importMachine(request, { signal: abort.signal }), stopped);
	assert.ok(reads < 100);
});
