import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { createHypervPlatform } from '../../hypervisors/hyperv/platform.ts';
import { scriptedDriver } from '../equipment/scripted-driver.ts';
import { benchConfig } from '../equipment/simulated-bench.ts';
import { SmallFileSystem } from '../equipment/small-file-system.ts';

const TiB = 2 ** 40;

test('`chooseHardware` refuses disks that are too large for one volume in sum, with both sizes, and leaves nothing', async t => {
	const { directory: home } = await SmallFileSystem.create(t);
	const platform = createHypervPlatform({
		driver: scriptedDriver({
			report: () => ({
				freeBytes: 1e12,
				memoryTotalMiB: 65_536,
				memoryFreeMiB: 32_768,
				processors: 16,
				switches: [],
				initiatorName: null,
				hyperV: '10.0',
			}),
		}),
		pipes: { open: () => Promise.reject(new Error('no pipe')) },
		datastore: 'D:\\Rouse',
		appliance: 'a0a0a0a0-1111-4222-8333-444444444444',
		address: '127.0.0.1',
		home,
	});
	const choose = (...diskSizesBytes: number[]) =>
		platform.chooseHardware({ config: benchConfig, nics: [], options: {}, diskSizesBytes });
	await assert.rejects(choose(9 * TiB, 8 * TiB), {
		code: 'precheck_failed',
		message: /17\.0 TiB with its 2 disks.* no more than 15\.9 TiB/,
	});
	await choose(7 * TiB, 7 * TiB);
	assert.deepEqual(await readdir(home), ['lost+found']);
});
