import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { initRepository } from '../../../repository/repository.ts';
import { makeRequest } from '../recovery-request.ts';
import { importDisks, noise, wholeSource } from '../repositories.ts';
import { Sandbox } from '../sandbox.ts';
import { Random } from './random.ts';
import { type SeededMachine, SeededRecovery, type SeedOptions } from './seeded-recovery.ts';
import { fastDirectory } from '../simulated-bench.ts';

const atOnce = 12;
const diskBytes = 384 * 1024;

/** A test of these seeds. `ROUSE_TEST_SEEDS=FIRST-LAST`: of those instead, as when one of them has failed. */
export function testSeeds(from: number, to: number, how: SeedOptions = {}): void {
	const [first = from, last = to] = (process.env['ROUSE_TEST_SEEDS'] ?? '').split('-').filter(Boolean).map(Number);
	const what = how.cutBacks
		? 'its host wins whenever its history loses its end'
		: 'it ends well whatever dies on its way';
	test(`a recovery: ${what} (seeds ${first} to ${last})`, async t => {
		const sandbox = await Sandbox.create();
		const { machine, remove } = await storedMachine();
		t.after(async () => {
			await sandbox.destroy();
			await remove();
		});
		const failures: string[] = [];
		const ended: Record<string, number> = {};
		let next = first;
		const worker = async () => {
			for (let seed = next++; seed <= last; seed = next++) {
				try {
					const recovery = await SeededRecovery.begin(sandbox, machine, new Random(seed), {
						...how,
						broker: seed % 4 === 1,
					});
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
}

/** One machine for all of them, in a real repository in memory. */
export async function storedMachine(): Promise<{ machine: SeededMachine; remove: () => Promise<void> }> {
	const directory = await fastDirectory('rouse-seeds-');
	const path = join(directory, 'repository');
	const repository = await initRepository(path, { chunkSizeBytes: 64 * 1024 });
	const base = noise(diskBytes, 7);
	base.fill(0, 128 * 1024, 256 * 1024);
	const { manifestDigest } = await importDisks(repository, [wholeSource(base)]);
	await repository.store.close();
	return {
		machine: { request: makeRequest({ repository: path, manifestDigest }), base },
		remove: () => rm(directory, { recursive: true, force: true }),
	};
}
