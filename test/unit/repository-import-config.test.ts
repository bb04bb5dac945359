import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import type { MachineConfig } from '../../model/machine.ts';
import { keys } from '../../repository/format/keys.ts';
import { importMachine } from '../../repository/import/import-machine.ts';
import type { ImportRequest } from '../../repository/import/import-request.ts';
import { readPoint } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';
import { collect, memoryRepository, noise, SparseSource } from '../equipment/repositories.ts';
import { sampleConfig, sampleDisks } from '../equipment/sample-config.ts';

const machine = 'web01';
const time = '2026-11-20T03:00:00.000Z';
const signal = new AbortController().signal;
const bytes = noise(50_000, 1);

/** Data behind the middle of a disk of some chunks, whose last one is short. */
function makeSource(): SparseSource {
	return new SparseSource(400_000, [{ offsetBytes: 201_000, bytes }]);
}

function importWith(repository: Repository, request: Partial<ImportRequest>) {
	const config = { ...sampleConfig, disks: sampleDisks(1) };
	return importMachine({ repository, machine, time, sources: [makeSource()], config, ...request });
}

test('`importMachine` asks for a configuration when all is stored, and gives the disks as they are stored', async () => {
	const repository = await memoryRepository();
	const places: string[] = [];
	const source = Object.assign(makeSource(), {
		checkUnchanged: async () => {
			places.push('unchanged');
		},
	});
	const config = async (
		disks: Parameters<Exclude<ImportRequest['config'], MachineConfig>>[0],
	): Promise<MachineConfig> => {
		places.push('asked');
		assert.equal((await collect(repository.store.list(keys.points))).length, 0);
		const [disk] = disks;
		assert.ok(disk);
		assert.equal(disk.sizeBytes, 400_000);
		const whole = Buffer.alloc(400_000, 0xee);
		await disk.read(0, whole, signal);
		const expected = Buffer.alloc(400_000);
		bytes.copy(expected, 201_000);
		assert.deepEqual(whole, expected);
		for (const [offsetBytes, lengthBytes] of [
			[200_999, 3],
			[399_999, 1],
			[4096, 4096],
			[204_000, 20_000],
			[7, 0],
		] as const) {
			const part = Buffer.alloc(lengthBytes, 0xee);
			await disk.read(offsetBytes, part, signal);
			assert.deepEqual(part, expected.subarray(offsetBytes, offsetBytes + lengthBytes));
		}
		await assert.rejects(disk.read(0, Buffer.alloc(1), AbortSignal.abort(new RouseError('interrupted', 'x'))), {
			code: 'interrupted',
		});
		return { ...sampleConfig, cpus: 7, disks: sampleDisks(1) };
	};
	await importMachine({ repository, machine, time, sources: [source], config });
	assert.equal((await readPoint(repository, machine, time)).manifest.config.cpus, 7);
	assert.deepEqual(places, ['asked', 'unchanged']);
});

test('`importMachine` whose configuration is of other disks, or cannot be found, makes no point', async () => {
	const repository = await memoryRepository();
	const others = async () => ({ ...sampleConfig, disks: sampleDisks(2) });
	await assert.rejects(importWith(repository, { config: others }), { code: 'usage', message: /2 disk/ });
	const failing = async () => {
		throw new RouseError('io_failed', 'by a test');
	};
	await assert.rejects(importWith(repository, { config: failing }), { code: 'io_failed' });
	assert.equal((await collect(repository.store.list(keys.points))).length, 0);
});

test('`importMachine` puts facts into the manifest, and refuses too many, or a base that is none, before it reads', async () => {
	const repository = await memoryRepository();
	const facts = { source: { kind: 'simulated', ids: { region: 'north' }, checkpoint: null } };
	await importWith(repository, { facts });
	assert.deepEqual((await readPoint(repository, machine, time)).manifest.facts, facts);
	const source = makeSource();
	const later = { time: '2026-11-21T03:00:00.000Z', sources: [source] };
	const tooMany = { source: 'ü'.repeat(33_000) };
	await assert.rejects(importWith(repository, { ...later, facts: tooMany }), { code: 'usage' });
	const base = { restorePoint: 'latest', manifestDigest: 'ab'.repeat(32) };
	await assert.rejects(importWith(repository, { ...later, base }), { code: 'usage' });
	assert.deepEqual(source.reads, []);
	assert.equal((await collect(repository.store.list(keys.intents))).length, 0);
});
