import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Catalogue } from '../../client/batch/catalogue.ts';
import { fenceImport } from '../../repository/import/fence-import.ts';
import { initRepository } from '../../repository/repository.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { importDisks, noise, wholeSource } from '../equipment/repositories.ts';

test('`Catalogue` finds machines, and of one the latest point, the latest before a time, and the one of a prefix', async t => {
	const directory = join(await temporaryDirectory(t), 'repository');
	const repository = await initRepository(directory);
	const times = ['2026-11-20T03:00:00.000Z', '2026-11-21T03:00:00.000Z'];
	const facts = { unknown: ['cpus'] };
	for (const time of times)
		for (const machine of ['db01', 'web01'])
			await importDisks(repository, [wholeSource(noise(4096, 1))], { machine, time, facts });
	const fenced = { machine: 'web01', time: '2026-11-20T12:00:00.000Z', importId: repository.id };
	assert.equal(await fenceImport(repository, fenced), 'fenced');
	await repository.store.close();

	const catalogue = new Catalogue();
	t.after(() => catalogue.close());
	assert.deepEqual(await catalogue.machines(directory), ['db01', 'web01']);
	const timeOf = async (point: string) => (await catalogue.point(directory, 'web01', point)).time;
	assert.equal(await timeOf('latest'), times[1]);
	assert.equal(await timeOf('latest before 2026-11-21T03:00:00Z'), times[0]);
	assert.equal(await timeOf('latest before 2026-11-21T04:00:01+01:00'), times[1]);
	assert.equal(await timeOf('2026-11-20'), times[0]);
	await assert.rejects(timeOf('latest before 2026-11-20T03:00Z'), {
		code: 'point_unknown',
		hint: `its first is ${times[0]}`,
	});
	await assert.rejects(catalogue.point(directory, 'x', 'latest before 2026-11-20T03:00Z'), { code: 'machine_unknown' });
	const found = await catalogue.pointAt(directory, 'web01', times[0] ?? '');
	assert.deepEqual([found.config.memoryMiB, found.facts], [64, facts]);
});
