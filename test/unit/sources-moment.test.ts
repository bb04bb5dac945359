import assert from 'node:assert/strict';
import { appendFile, chmod, copyFile, mkdir, open, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { importMoment } from '../../repository/import/moment.ts';
import { fileState, isSettled } from '../../sources/file-state.ts';
import { closeLayers, openLayers } from '../../sources/image-layers.ts';
import { momentOf } from '../../sources/moment.ts';
import type { ImageFormat } from '../../sources/image-format.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const flat = Buffer.alloc(64 * 512, 'flat');
const lines = [
	'# Disk DescriptorFile',
	'version=1',
	'CID=fffffffe',
	'parentCID=ffffffff',
	'createType="monolithicFlat"',
];

/** A VMDK in two files. */
async function makeImage(t: TestContext): Promise<string> {
	const directory = join(await temporaryDirectory(t), 'here');
	await mkdir(directory);
	const path = join(directory, 'web.vmdk');
	await writeFile(path, [...lines, 'RW 64 FLAT "web-flat.vmdk" 0', ''].join('\n'));
	await writeFile(path.replace('.vmdk', '-flat.vmdk'), flat);
	return path;
}

async function momentNow(path: string, format?: ImageFormat): Promise<string | undefined> {
	const layers = await openLayers(path, { format });
	await closeLayers(layers);
	return momentOf(layers);
}

/** Its state is named as soon as the clock is past its last change. */
async function settledMoment(path: string, format?: ImageFormat): Promise<string> {
	for (let looks = 0; looks < 1000; looks++) {
		const moment = await momentNow(path, format);
		if (moment !== undefined) return moment;
		await setTimeout(5);
	}
	throw new Error('it has no moment');
}

const changes: [what: string, change: (path: string) => Promise<unknown>][] = [
	['grew', path => appendFile(path, '\n')],
	['was written, and given its old time', writeInSecret],
	['was exchanged for a copy', exchange],
	['was given another mode', path => chmod(path, 0o640)],
];

async function writeInSecret(path: string): Promise<void> {
	const { atime, mtime } = await stat(path);
	const bytes = await readFile(path);
	const file = await open(path, 'r+');
	await file.write(bytes.subarray(0, 1), 0, 1, 0);
	await file.close();
	await utimes(path, atime, mtime);
}

async function exchange(path: string): Promise<void> {
	await copyFile(path, `${path}.new`);
	await rename(`${path}.new`, path);
}

for (const [what, change] of changes)
	test(`\`momentOf\` an image is another one when a file of it ${what}`, async t => {
		const path = await makeImage(t);
		for (const file of [path, path.replace('.vmdk', '-flat.vmdk')]) {
			const before = await settledMoment(path);
			assert.equal(await settledMoment(path), before);
			await change(file);
			assert.notEqual(await settledMoment(path), before);
		}
	});

test('`momentOf` an image is another one for its files at another place, and for another format', async t => {
	const path = await makeImage(t);
	const before = await settledMoment(path);
	assert.notEqual(await settledMoment(path, 'raw'), before);
	await rename(dirname(path), join(dirname(path), '..', 'there'));
	assert.notEqual(await settledMoment(path.replace('here', 'there')), before);
});

test('`isSettled` is no file that may be written once more under the same times', async t => {
	const path = await makeImage(t);
	const file = await open(path);
	t.after(() => file.close());
	const found = await fileState(file);
	const changedNs = 1_700_000_000_500_000_000n;
	const after = (ns: bigint, changed = changedNs) => isSettled({ ...found, changedNs: changed, seenNs: changed + ns });
	assert.equal(after(0n), false);
	assert.equal(after(49_000_000n), false);
	assert.equal(after(50_000_000n), true);
	assert.equal(after(-1n), false, 'changed in the future');
	const wholeSeconds = 1_700_000_000_000_000_000n;
	assert.equal(after(1_900_000_000n, wholeSeconds), false);
	assert.equal(after(2_000_000_000n, wholeSeconds), true);
});

test('`importMoment` has no name when a disk has none, and another one for disks in another order', () => {
	assert.equal(importMoment([{ moment: 'a' }, {}]), null);
	assert.notEqual(importMoment([{ moment: 'a' }, { moment: 'b' }]), importMoment([{ moment: 'b' }, { moment: 'a' }]));
	assert.equal(importMoment([{ moment: 'a' }]), importMoment([{ moment: 'a' }]));
});
