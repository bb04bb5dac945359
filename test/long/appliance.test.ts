import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { type Appliance, buildAppliance } from '../../appliance/build.ts';
import { makeSeedDisk } from '../../appliance/first-boot/seed-disk.ts';
import { cacheDirectory } from '../../system/installation.ts';
import { bootAppliance } from '../equipment/appliance-machine.ts';
import { sampleSeed } from '../equipment/appliance-seed.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const run = promisify(execFile);
const mac = '52:54:00:00:00:01';

suite('appliance', () => {
	let appliance: Appliance;
	before(async () => {
		appliance = await buildAppliance({ cacheDirectory: cacheDirectory() });
	});

	test('`buildAppliance` makes a VHDX that others read, and tells what is in it', async () => {
		await run('qemu-img', ['check', '-f', 'vhdx', appliance.vhdxPath]);
		await run('7zz', ['t', appliance.vhdxPath]);
		assert.match(await readFile(appliance.packagesPath, 'utf8'), /^linux-image-6\.\S+-cloud-amd64 \S+$/m);
	});

	test('`buildAppliance` once more takes what is in the cache', async () => {
		assert.equal((await buildAppliance({ cacheDirectory: cacheDirectory() })).built, false);
	});

	test('boots from UEFI, becomes what its seed says and stays it; another seed is refused', async t => {
		const directory = await temporaryDirectory(t);
		const { vhdxPath } = appliance;
		const networks = [{ mac, address: '10.0.2.15/24', nameServers: [] }];
		const seed = await sampleSeed(t, { networks });
		const seedPath = join(directory, 'seed.raw');
		await makeSeedDisk(seedPath, seed);
		const first = await bootAppliance(t, { vhdxPath, directory, mac, seedPath });
		const report = await first.report();
		assert.deepEqual([report.name, report.seed, report.problem], ['hv1', 'taken', undefined]);
		assert.equal(report.node, process.version);
		assert.equal(report.supervisorListens, true);
		const { 'rouse-supervisor': supervisor, 'rouse-worker': worker, tgt } = report.services;
		assert.deepEqual({ supervisor, worker, tgt }, { supervisor: 'active', worker: 'active', tgt: 'inactive' });
		assert.deepEqual(new Set(Object.values(report.modules)), new Set([true]), JSON.stringify(report.modules));
		assert.ok(report.addresses.includes('10.0.2.15'), report.addresses.join());
		const system = report.disks.find(({ scsi }) => scsi.endsWith(':0:0'));
		assert.ok(Buffer.from(system?.page83 ?? '', 'hex').includes('system'), JSON.stringify(report.disks));
		assert.equal(system?.virtualDiskId, null);
		await first.powerOff();

		const foreign = join(directory, 'foreign.raw');
		await makeSeedDisk(foreign, { ...seed, renewal: randomBytes(32).toString('hex') });
		const second = await bootAppliance(t, { vhdxPath, directory, mac, seedPath: foreign });
		const again = await second.report();
		assert.deepEqual([again.name, again.seed], ['hv1', 'refused']);
		assert.match(again.problem ?? '', /^identity_conflict: /);
		assert.equal(again.supervisorListens, true);
		await second.powerOff();
	});
});
