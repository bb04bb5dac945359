import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseForward, parseNetwork, parsePlatformOption } from '../../cli/recover/parse-key-value.ts';
import { parseAddress, parseBytes, parseCpus, parseId, parseMemory, parsePoint } from '../../cli/terminal/parse.ts';

describe('a size', () => {
	it('is bytes, with binary units', () => {
		assert.deepEqual(
			['0', '1048576', '512K', '20MiB', '2gb', '1t'].map(parseBytes),
			[0, 1_048_576, 524_288, 20_971_520, 2_147_483_648, 1_099_511_627_776],
		);
	});

	it('is refused with what was written', () => {
		for (const text of ['', '-1', '1.5M', '10 furlongs', '99999999999999T'])
			assert.throws(() => parseBytes(text), /is no size/, text);
	});
});

describe('the memory of a machine', () => {
	it('is MiB, or a size of whole MiB', () => {
		assert.deepEqual(['2048', '2048MiB', '2GiB', '2g', '16'].map(parseMemory), [2048, 2048, 2048, 2048, 16]);
	});

	it('that no machine has is refused', () => {
		for (const text of ['', '15', '5T', '1048577K', '1.5G', 'much'])
			assert.throws(() => parseMemory(text), /write/, text);
	});
});

describe('the CPUs of a machine', () => {
	it('are from 1 to 256', () => {
		assert.deepEqual(['1', '256'].map(parseCpus), [1, 256]);
		for (const text of ['', '0', '257', '1.5', '0x2', 'two']) assert.throws(() => parseCpus(text), /1 to 256/, text);
	});
});

describe('an address to listen on', () => {
	it('has a host and a port', () => {
		assert.deepEqual(['10.0.0.5:7400', 'repo1:0', '[::1]:65535'].map(parseAddress), [
			{ host: '10.0.0.5', port: 7400 },
			{ host: 'repo1', port: 0 },
			{ host: '::1', port: 65_535 },
		]);
	});

	it('that is not whole is refused', () => {
		for (const text of ['', '7400', ':7400', '10.0.0.5', '10.0.0.5:', '10.0.0.5:65536', '::1:7400', 'a/b:1', 'a:1x'])
			assert.throws(() => parseAddress(text), /is no address/, text);
	});
});

describe('the id of a recovery', () => {
	it('is a UUID', () => {
		assert.equal(parseId('0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d'), '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d');
		for (const text of ['', 'web01-r1', '0b9c3f52']) assert.throws(() => parseId(text), /is no id/, text);
	});
});

describe('a restore point', () => {
	it('without a time is the latest', () => {
		assert.deepEqual(parsePoint('web01'), { machine: 'web01', point: 'latest' });
	});

	it('that is none is refused with an example', () => {
		assert.throws(() => parsePoint('web01@yesterday'), /write web01@latest/);
	});
});

describe('--platform', () => {
	it('is repeatable, and takes numbers, true and false for what they are and all else as text', () => {
		const options = ['disks=sata', 'video-memory=16', 'scale=-0.5', 'tpm=true', 'serial=007', 'note=a=b', 'empty='];
		assert.deepEqual(
			options.reduce((before, text) => parsePlatformOption(text, before), {}),
			{ disks: 'sata', 'video-memory': 16, scale: -0.5, tpm: true, serial: '007', note: 'a=b', empty: '' },
		);
	});

	it('needs a key of at most 40 characters', () => {
		for (const text of ['sata', '=sata', `${'k'.repeat(41)}=1`])
			assert.throws(() => parsePlatformOption(text), /KEY=VALUE/, text);
	});
});

describe('--network', () => {
	it('is gathered over several options', () => {
		assert.deepEqual(parseNetwork('lan=user', parseNetwork('dmz=none')), { dmz: 'none', lan: 'user' });
	});

	it('may have "=" in the name of the network', () => {
		assert.deepEqual(parseNetwork('vlan=7=user'), { 'vlan=7': 'user' });
	});

	it('without a target is refused', () => {
		for (const text of ['lan', 'lan=', 'lan=a/b', '=user'])
			assert.throws(() => parseNetwork(text), /SRC=NAME or SRC=none/, text);
	});
});

describe('--forward', () => {
	it('is of the loopback unless an address is said, and is gathered over several options', () => {
		assert.deepEqual(parseForward('0.0.0.0:8080:80', parseForward('2222:22')), [
			{ address: '127.0.0.1', port: 2222, guestPort: 22 },
			{ address: '0.0.0.0', port: 8080, guestPort: 80 },
		]);
	});

	it('that is none is refused with an example', () => {
		for (const text of [
			'22',
			'0:22',
			'2222:65536',
			'1.2.3:2222:22',
			':2222:22',
			'host:2222:22',
			'2222:22,hostfwd=tcp::1-:1',
		])
			assert.throws(() => parseForward(text), /PORT:GUESTPORT, as 2222:22/, text);
	});
});
