import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPoint } from '../../repository/points.ts';
import { machineConfig } from '../../sources/machine/config.ts';
import { storeMachine } from '../../sources/machine/store-machine.ts';
import { memoryRepository, wholeSource } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const time = '2026-11-20T03:00:00.000Z';

/** It says of itself that it has ext4 on it, and nothing else that would be so. */
function damagedDisk(): Buffer {
	const bytes = Buffer.alloc(262_144);
	bytes.writeUInt16LE(0xef53, 1024 + 56);
	return bytes;
}

const configured = {
	machine: 'web01',
	spec: {},
	described: { kind: 'image', name: 'raw web01.raw', config: {}, disks: [{ serial: null, sectors: null }] },
};

test('`storeMachine` looks at what it has stored, and warns of what could not be seen', async () => {
	const repository = await memoryRepository();
	const disks = [wholeSource(damagedDisk())];
	const machine = { configured, disks, facts: { unknown: ['cpus'] } };
	const { warnings } = await storeMachine({ repository, time }, machine, { signal });
	assert.equal(warnings.length, 1);
	assert.match(
		warnings[0] ?? '',
		/^how the machine boots could not be seen in full: file system on disk0: ext4 whose super block/,
	);
	const { manifest } = await readPoint(repository, 'web01', time);
	assert.equal(manifest.config.boot?.notLookedAt.length, 2);
	assert.deepEqual(manifest.config.origin, { kind: 'image', detail: 'raw web01.raw' });
	assert.deepEqual(manifest.facts, { unknown: ['cpus'] });
});

test('`storeMachine` of disks that were looked at looks no more, and says no more of it', async () => {
	const repository = await memoryRepository();
	const seen = await machineConfig(configured, [wholeSource(Buffer.alloc(262_144))], signal);
	const machine = { configured, disks: [wholeSource(damagedDisk())], facts: {}, seen };
	assert.deepEqual((await storeMachine({ repository, time }, machine, { signal })).warnings, []);
	assert.deepEqual((await readPoint(repository, 'web01', time)).manifest.config, seen.config);
});
