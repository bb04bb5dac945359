import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { ensureVolume } from '../../volume/ensure-volume.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { killedAt } from '../equipment/killed-at-steps.ts';
import { sampleVolume } from '../equipment/volumes.ts';

const MiB = 1024 * 1024;

test('`ensureVolume` killed at any of its steps is carried on to the same volume, and leaves nothing else', async t => {
	const directory = await temporaryDirectory(t);
	const request = sampleVolume(12 * MiB, 5 * MiB);
	const made = await ensureVolume(await temporaryDirectory(t), request);
	const call = { module: '../../volume/ensure-volume.ts', name: 'ensureVolume', args: [directory, request] };
	let steps = 0;
	const leftBehind = new Set<string>();
	while (await killedAt(steps + 1, call)) {
		steps += 1;
		for (const name of await readdir(directory)) leftBehind.add(name.replace(/\.[^.]+\.rouse-tmp$/, '.tmp'));
		assert.deepEqual(await ensureVolume(directory, request), made, `killed at step ${steps}`);
		assert.deepEqual((await readdir(directory)).toSorted(), ['volume.json', 'volume.ntfs']);
		for (const name of await readdir(directory)) await rm(`${directory}/${name}`);
	}
	t.diagnostic(`${steps} steps`);
	// It was killed with each of them there: what is made first, half made, made without its description, and whole.
	assert.deepEqual([...leftBehind].toSorted(), [
		'volume-size.tmp',
		'volume.json',
		'volume.json.tmp',
		'volume.ntfs',
		'volume.ntfs.tmp',
	]);
});
