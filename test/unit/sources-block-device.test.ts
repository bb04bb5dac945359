import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { blockDeviceBytes, blockDeviceFacts } from '../../sources/block-device.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

/** Device numbers 8:16 and 259:300, as stat(2) tells them. */
const sdb = 0x810;
const nvme = 0x1_1_03_2c;

/** A tree as Linux has it: devices somewhere, and a link for each device number. */
async function sysfs(t: TestContext, number: string, device: string, files: Record<string, string | Buffer>) {
	const root = await temporaryDirectory(t);
	for (const [name, content] of Object.entries(files)) {
		await mkdir(dirname(join(root, 'devices', name)), { recursive: true });
		await writeFile(join(root, 'devices', name), content);
	}
	await mkdir(join(root, 'block'));
	await symlink(join('..', 'devices', device), join(root, 'block', number));
	return join(root, 'block');
}

const queue = (logical: number, physical: number, disk = 'sdb') => ({
	[`${disk}/queue/logical_block_size`]: `${logical}\n`,
	[`${disk}/queue/physical_block_size`]: `${physical}\n`,
});

test('a disk has the sectors and the serial number that its device tells', async t => {
	const root = await sysfs(t, '8:16', 'sdb', { ...queue(512, 4096), 'sdb/serial': 'S3RIAL-1\n' });
	assert.deepEqual(await blockDeviceFacts(sdb, root), {
		serial: 'S3RIAL-1',
		sectors: { logicalSectorBytes: 512, physicalSectorBytes: 4096 },
	});
});

test('an NVMe disk, with a number above 255, has its serial number below its controller', async t => {
	const files = { ...queue(4096, 4096, 'nvme0n1'), 'nvme0n1/device/serial': 'S64DNE0R      \n' };
	const root = await sysfs(t, '259:300', 'nvme0n1', files);
	assert.deepEqual(await blockDeviceFacts(nvme, root), {
		serial: 'S64DNE0R',
		sectors: { logicalSectorBytes: 4096, physicalSectorBytes: 4096 },
	});
});

test('a SCSI disk has its serial number in vital product data', async t => {
	const page = Buffer.concat([Buffer.from([0, 0x80, 0, 12]), Buffer.from('  WD-WCC4N123')]);
	const root = await sysfs(t, '8:16', 'sdb', { ...queue(512, 512), 'sdb/device/vpd_pg80': page });
	assert.equal((await blockDeviceFacts(sdb, root)).serial, 'WD-WCC4N123');
});

test('a partition has the sectors of its disk, and not its serial number', async t => {
	const files = { ...queue(4096, 4096), 'sdb/serial': 'S3RIAL-1', 'sdb/sdb1/partition': '1\n' };
	const root = await sysfs(t, '8:16', 'sdb/sdb1', files);
	assert.deepEqual(await blockDeviceFacts(sdb, root), {
		serial: null,
		sectors: { logicalSectorBytes: 4096, physicalSectorBytes: 4096 },
	});
});

test('a block device has the size that Linux tells in sectors of 512 bytes, whatever its own are', async t => {
	const root = await sysfs(t, '8:16', 'sdb', { ...queue(4096, 4096), 'sdb/size': '16384\n' });
	assert.equal(await blockDeviceBytes(sdb, root), 8 * 2 ** 20);
	assert.equal(await blockDeviceBytes(nvme, root), undefined);
});

test('a serial number that is empty, too long or not plain is none', async t => {
	for (const serial of ['  \n', 'x'.repeat(41), 'S\u001b[2J']) {
		const root = await sysfs(t, '8:16', 'sdb', { ...queue(512, 512), 'sdb/serial': serial });
		assert.equal((await blockDeviceFacts(sdb, root)).serial, null);
	}
});

test('sectors that no disk of a machine has are told as the nearest', async t => {
	const sectors = async (logical: number, physical: number) => {
		const { sectors: told } = await blockDeviceFacts(sdb, await sysfs(t, '8:16', 'sdb', queue(logical, physical)));
		return [told?.logicalSectorBytes, told?.physicalSectorBytes];
	};
	assert.deepEqual(await sectors(2048, 2048), [512, 512]);
	assert.deepEqual(await sectors(512, 131_072), [512, 4096]);
});

test('of a device that tells nothing nothing is known', async t => {
	const root = await sysfs(t, '8:16', 'sdb', { 'sdb/size': '8\n' });
	assert.deepEqual(await blockDeviceFacts(sdb, root), { serial: null });
	assert.deepEqual(await blockDeviceFacts(nvme, root), { serial: null });
});
