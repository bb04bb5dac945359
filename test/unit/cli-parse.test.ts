import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseBytes, parsePoint } from '../../cli/terminal/parse.ts';
import { parseNetwork } from '../../cli/recover/parse-network.ts';

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

describe('a restore point', () => {
	it('without a time is the latest', () => {
		assert.deepEqual(parsePoint('web01'), { machine: 'web01', point: 'latest' });
	});

	it('that is none is refused with an example', () => {
		assert.throws(() => parsePoint('web01@yesterday'), /write web01@latest/);
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
		for (const text of ['lan', 'lan=bridge', '=user'])
			assert.throws(() => parseNetwork(text), /SRC=user or SRC=none/, text);
	});
});
