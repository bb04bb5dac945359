import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assemble } from '../../hypervisors/boot-listing.ts';
import { bootSector, exitPort, guestCode } from '../../hypervisors/qemu/boot-sector.ts';

test('`assemble` puts the address of a name where it is used, low byte first, before or after it is defined', () => {
	const listing = ['e9 <end>   ; jump', 'begin: f4', 'end: c3 <begin>'].join('\n');
	assert.deepEqual(assemble(listing), [0xe9, 0x04, 0x7c, 0xf4, 0xc3, 0x03, 0x7c]);
});

test('`assemble` refuses what is neither a byte nor a name, and names that are nowhere', () => {
	assert.throws(() => assemble('f4 hlt'), /neither a byte nor a name: hlt/);
	assert.throws(() => assemble('e9 <nowhere>'), /no such name: nowhere/);
});

test('the boot sector is one, and leaves room for a partition table', () => {
	const sector = bootSector();
	assert.equal(sector.length, 512);
	assert.equal(sector.readUInt16BE(510), 0x55aa);
	assert.ok(sector.subarray(446, 510).every(byte => byte === 0));
});

test('the boot sector ends with the code that the probe waits for, on the device that the probe has', () => {
	// mov al, guestCode; out exitPort, al
	assert.ok(bootSector().includes(Buffer.from([0xb0, guestCode, 0xe6, exitPort])));
});

test('the descriptor table of the boot sector is of its four descriptors, where it says', () => {
	const sector = bootSector();
	const lgdt = sector.indexOf(Buffer.from([0x0f, 0x01, 0x16]));
	const register = sector.readUInt16LE(lgdt + 3) - 0x7c00;
	const table = sector.readUInt32LE(register + 2) - 0x7c00;
	assert.equal(sector.readUInt16LE(register), 4 * 8 - 1);
	// Access byte and flags: AMD64 Architecture Programmer's Manual, volume 2, 4.7 and 4.8.
	const kinds = [0, 1, 2, 3].map(n => [sector[table + n * 8 + 5], (sector[table + n * 8 + 6] ?? 0) >> 4]);
	assert.deepEqual(kinds, [
		[0, 0],
		[0x9a, 0xc],
		[0x92, 0xc],
		[0x9a, 0xa],
	]);
});
