import assert from 'node:assert/strict';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import type { MachineDefinition } from '../../hypervisors/contract.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { makeTargets, openTargets, removeTargets } from '../../hypervisors/qemu/targets.ts';
import { fileIdentity } from '../../system/file-identity.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { benchConfig } from '../equipment/qemu-bench.ts';

async function machine(t: TestContext, more: Pick<MachineDefinition, 'allocate'> & { sizeBytes: number }) {
	const directory = await temporaryDirectory(t);
	const definition: MachineDefinition = {
		recoveryId: '',
		machineName: 'web01',
		config: benchConfig(1),
		hardware: {},
		nics: [],
		disks: [{ name: 'disk0', sizeBytes: more.sizeBytes, exports: { now: '', wait: '' } }],
		allocate: more.allocate,
		directory,
		runDirectory: directory,
		nbdSocket: '',
	};
	return { definition, paths: machinePaths(definition), path: join(directory, 'disk0.raw') };
}

const mebibyte = 1024 * 1024;

suite('targets of QEMU', () => {
	test('`start` reserves every block, `thin` none; `openTargets` tells them by inode and birth', async t => {
		for (const allocate of ['start', 'thin'] as const) {
			const { definition, paths, path } = await machine(t, { allocate, sizeBytes: mebibyte });
			await makeTargets(definition, paths, undefined);
			const { size, blocks } = await stat(path);
			assert.equal(size, mebibyte);
			assert.equal(blocks * 512, allocate === 'start' ? mebibyte : 0);
			const identity = fileIdentity(await stat(path, { bigint: true }));
			assert.deepEqual(await openTargets(definition, paths), [{ identity, path, offsetBytes: 0, readsZero: true }]);
		}
	});

	test('a target that is shorter is made longer, and one that is larger is left alone', async t => {
		const { definition, paths, path } = await machine(t, { allocate: 'start', sizeBytes: mebibyte });
		await writeFile(path, 'what is there');
		await makeTargets(definition, paths, undefined);
		assert.equal((await stat(path)).size, mebibyte);
		assert.equal((await readFile(path, 'utf8')).slice(0, 13), 'what is there');
		await truncate(path, mebibyte + 1);
		await assert.rejects(makeTargets(definition, paths, undefined), { code: 'identity_conflict' });
		assert.equal((await stat(path)).size, mebibyte + 1);
	});

	test('what does not fit is refused with numbers, and nothing is made', async t => {
		const sizeBytes = 2 ** 52;
		const { definition, paths, path } = await machine(t, { allocate: 'start', sizeBytes });
		await assert.rejects(makeTargets(definition, paths, undefined), (error: { code: string; details: object }) => {
			assert.equal(error.code, 'space_short');
			assert.ok('neededBytes' in error.details && error.details.neededBytes === sizeBytes);
			assert.ok('freeBytes' in error.details && Number(error.details.freeBytes) > 0);
			return true;
		});
		await assert.rejects(stat(path), { code: 'ENOENT' });
	});

	test('an abort ends the making with its reason', async t => {
		const { definition, paths } = await machine(t, { allocate: 'start', sizeBytes: mebibyte });
		const reason = new Error('another was asked for');
		await assert.rejects(makeTargets(definition, paths, AbortSignal.abort(reason)), reason);
	});

	test('`removeTargets` takes them away, and may find nothing', async t => {
		const { definition, paths, path } = await machine(t, { allocate: 'thin', sizeBytes: mebibyte });
		await makeTargets(definition, paths, undefined);
		await removeTargets(definition, paths);
		await removeTargets(definition, paths);
		await assert.rejects(stat(path), { code: 'ENOENT' });
		await assert.rejects(openTargets(definition, paths), { code: 'identity_conflict' });
	});
});
