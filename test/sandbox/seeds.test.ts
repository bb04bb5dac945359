import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { initRepository } from '../../repository/repository.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { importDisks, noise, wholeSource } from '../equipment/repositories.ts';
import { Sandbox } from '../equipment/sandbox.ts';
import { Random } from '../equipment/seeds/random.ts';
import { type SeededMachine, SeededRecovery } from '../equipment/seeds/seeded-recovery.ts';
import { fastDirectory } from '../equipment/simulated-bench.ts';

/** `ROUSE_TEST_SEEDS=FIRST-LAST`: those instead, as when one of them has failed. */
const [first = 1, last = 500] = (process.env['ROUSE_TEST_SEEDS'] ?? '').split('-').filter(Boolean).map(Number);
const atOnce = 12;
const diskBytes = 384 * 1024;

let sandbox: Sandbox;
let directory: string;
let machine: SeededMachine;

before(async () => {
	sandbox = await Sandbox.create();
	directory = await fastDirectory('rouse-seeds-');
	const path = join(directory, 'repository');
	const repository = await initRepository(path, { chunkSizeBytes: 64 * 1024 });
	const base = noise(diskBytes, 7);
	base.fill(0, 128 * 1024, 256 * 1024);
	const { manifestDigest } = await importDisks(repository, [wholeSource(base)]);
	await repository.store.close();
	machine = { request: makeRequest({ repository: path, manifestDigest }), base };
});

after(async () => {
	await sandbox.destroy();
	await rm(directory, { recursive: true, force: true });
});

test(`a recovery ends well whatever dies on its way (seeds ${first} to ${last})`, async t => {
	const failures: string[] = [];
	const ended: Record<string, number> = {};
	let next = first;
	const worker = async () => {
		for (let seed = next++; seed <= last; seed = next++) {
			try {
				const recovery = await SeededRecovery.begin(sandbox, machine, new Random(seed));
				await recovery.live();
				ended[recovery.phase] = (ended[recovery.phase] ?? 0) + 1;
			} catch (error) {
				failures.push(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
			}
		}
	};
	await Promise.all(Array.from({ length: atOnce }, worker));
	t.diagnostic(JSON.stringify(ended));
	assert.deepEqual(failures, []);
});
