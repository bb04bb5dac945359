import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assumedOf, assumedText } from '../../model/assumed.ts';
import { sampleSourceFacts } from '../equipment/sample-source-facts.ts';

test('`assumedOf` goes by the source of a machine, else by the import of its disks, and passes over what it does not know', () => {
	const source = { ...sampleSourceFacts, unknown: ['nics', 'mood', 'cpus'] };
	assert.deepEqual(assumedOf({ source }), ['cpus', 'nics']);
	assert.deepEqual(assumedOf({ source, unknown: ['memoryMiB'] }), ['cpus', 'nics']);
	assert.deepEqual(assumedOf({ unknown: ['memoryMiB', 'mood'] }), ['memoryMiB']);
	for (const facts of [{}, { unknown: 'cpus' }, { unknown: [1] }, { source: 'cpus' }])
		assert.deepEqual(assumedOf(facts), [], JSON.stringify(facts));
});

test('`assumedText` says what the members are', () => {
	const nic = { mac: '52:54:00:00:00:01', network: 'default' };
	const config = { cpus: 2, memoryMiB: 4096, nics: [nic] };
	assert.equal(assumedText(['cpus', 'memoryMiB', 'nics'], config), '2 vCPU, 4.00 GiB of memory, one NIC');
	assert.equal(assumedText(['nics'], { ...config, nics: [nic, nic] }), '2 NICs');
	assert.equal(assumedText([], config), '');
});
