import assert from 'node:assert/strict';
import { test } from 'node:test';
import { qemuDeviceId, virtualDiskIdOf } from '../../hypervisors/hyperv/page-83.ts';
import { guidBytes } from '../../model/guid.ts';
import { hypervPage83 } from '../equipment/hyperv-page-83.ts';

const id = '5c3e9a10-0b7d-4f21-8a3c-1d2e3f405162';
const page = () => hypervPage83(id);

test('`virtualDiskIdOf` reads the whole id from the vendor designator, wherever in the page it stands', () => {
	assert.equal(virtualDiskIdOf(page()), id);
	const vendor = page().subarray(4, 32);
	const naa = page().subarray(32, 52);
	const turned = Buffer.concat([page().subarray(0, 4), naa, vendor]);
	assert.equal(virtualDiskIdOf(turned), id);
});

test('`virtualDiskIdOf` makes no id of the 12 bytes in the NAA designator', () => {
	const naa = page().subarray(32, 52);
	assert.equal(virtualDiskIdOf(Buffer.concat([Buffer.from([0, 0x83, 0, naa.length]), naa])), undefined);
});

test('`virtualDiskIdOf` takes no other vendor, code set, form or bearer of a designator', () => {
	for (const [at, value] of [
		[4, 2], // ASCII
		[5, 0x11], // of the port
		[5, 3], // NAA
		[8, 0x51], // `Qsft`
		[1, 0x80], // another page
	] as const) {
		const other = page();
		other[at] = value;
		assert.equal(virtualDiskIdOf(other), undefined, `byte ${at}`);
	}
});

test('`virtualDiskIdOf` reads nothing of a page that is cut off, or whose lengths lead out of it', () => {
	const whole = page().subarray(0, 32);
	whole[3] = 28;
	assert.equal(virtualDiskIdOf(whole), id);
	for (let length = 0; length < whole.length; length++)
		assert.equal(virtualDiskIdOf(whole.subarray(0, length)), undefined, `${length} bytes`);
	for (const [at, value] of [
		[2, 1],
		[7, 25],
		[7, 23],
		[7, 255],
	] as const) {
		const broken = Buffer.from(whole);
		broken[at] = value;
		assert.equal(virtualDiskIdOf(broken), undefined, `byte ${at} is ${value}`);
	}
});

test('a VirtualDiskId lies in the page as in its VHDX', () => {
	assert.ok(page().includes(Buffer.from(guidBytes(id))));
});

test('`virtualDiskIdOf` reads of a disk of QEMU what it was given as `qemuDeviceId`, and of no other of its disks', () => {
	// As scsi_disk_emulate_vpd_page of QEMU 7.2 answers `device_id`: ASCII, vendor specific.
	const ofQemu = (deviceId: string, form = 0) =>
		Buffer.concat([
			Buffer.from([0, 0x83, 0, deviceId.length + 4, 2, form, 0, deviceId.length]),
			Buffer.from(deviceId, 'latin1'),
		]);
	assert.equal(virtualDiskIdOf(ofQemu(qemuDeviceId(id))), id);
	assert.equal(virtualDiskIdOf(ofQemu(qemuDeviceId(id), 1)), undefined);
	for (const other of ['system', id, `${qemuDeviceId(id)}0`, qemuDeviceId(id.toUpperCase())])
		assert.equal(virtualDiskIdOf(ofQemu(other)), undefined, other);
});
