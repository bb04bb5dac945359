import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openPrivateFile } from '../../movers/mount-mover/layout/private-file.ts';
import { volumeExport } from '../../movers/mount-mover/layout/volume-layout.ts';
import { NBD_ERROR } from '../../nbd/protocol/constants.ts';
import { systemClock } from '../../system/clock.ts';
import { clusterBytes, type VolumeDescription, volumeDescriptionSchema } from '../../volume/description.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { layoutRead, layoutWrite } from '../equipment/layout-calls.ts';
import { MemoryExport } from '../equipment/memory-export.ts';
import { sampleGuids } from '../equipment/volumes.ts';

const partitionAt = 1024 * 1024;
const at = (cluster: number) => cluster * clusterBytes;

/** Two files that lie in pieces, out of order and beside each other; the image has a byte of its own in each cluster. */
const volume: VolumeDescription = volumeDescriptionSchema.parse({
	version: 0,
	...sampleGuids,
	sizeBytes: 2 * partitionAt + at(16),
	partition: { offsetBytes: partitionAt, sizeBytes: at(16) },
	files: [
		{
			name: 'disk0.vhdx',
			sizeBytes: at(5),
			extents: [
				{ offsetBytes: at(9), sizeBytes: at(2) },
				{ offsetBytes: at(2), sizeBytes: at(3) },
			],
		},
		{ name: 'disk1.vhdx', sizeBytes: at(2), extents: [{ offsetBytes: at(5), sizeBytes: at(2) }] },
	],
});

const clusters = (name: string, count: number) =>
	Buffer.concat(Array.from({ length: count }, (_, number) => Buffer.alloc(clusterBytes, `${name} ${number} `)));

test('a volume is its image around the extents of its files, and GPT at both ends comes from behind the partition', async t => {
	const directory = await temporaryDirectory(t);
	const path = join(directory, 'image');
	const content = clusters('image', volume.sizeBytes / clusterBytes);
	await using file = await open(path, 'wx+');
	await file.writeFile(content);
	const image = await openPrivateFile(path, systemClock);
	t.after(() => image.close());
	const first = new MemoryExport('disk0.vhdx', clusters('first', 5));
	const second = new MemoryExport('disk1.vhdx', clusters('second', 2));
	const contents = new Map([
		['disk0.vhdx', first],
		['disk1.vhdx', second],
	]);
	const refused: { offset: number; length: number }[] = [];
	const layout = volumeExport(
		{ volume, image, contents },
		{ name: 'volume', description: '', onWriteRefused: write => refused.push(write) },
	);

	const partition = content.subarray(0, at(16));
	const head = content.subarray(at(16), at(32));
	const tail = content.subarray(at(32));
	const before = [head, partition.subarray(0, at(2)), first.bytes.subarray(at(2)), second.bytes];
	const after = [partition.subarray(at(7), at(9)), first.bytes.subarray(0, at(2)), partition.subarray(at(11)), tail];
	const expected = Buffer.concat([...before, ...after]);
	assert.equal(layout.sizeBytes, expected.length);
	assert.ok((await layoutRead(layout, 0, expected.length)).equals(expected));

	assert.ok(layout.writer);
	const bytes = Buffer.alloc(1000, 'written');
	for (const [where, inImage] of [
		[512, at(16) + 512],
		[partitionAt + at(7), at(7)],
		[volume.sizeBytes - 1000, volume.sizeBytes - 1000],
	] as const) {
		assert.equal(await layoutWrite(layout.writer, where, bytes, true), undefined);
		const { buffer } = await file.read(Buffer.alloc(1000), 0, 1000, inImage);
		assert.ok(buffer.equals(bytes), `a write at ${where}`);
	}
	for (const where of [partitionAt + at(2), partitionAt + at(7) - 1, partitionAt + at(9) - 1])
		assert.equal((await layoutWrite(layout.writer, where, bytes, false))?.errno, NBD_ERROR.EPERM);
	layout.writeRefused(1, 2);
	assert.deepEqual(refused, [{ export: 'volume', offset: 1, length: 2 }]);
});

test('a volume whose file has another size, or is not there, is refused', async t => {
	const directory = await temporaryDirectory(t);
	const path = join(directory, 'image');
	await (await open(path, 'wx')).close();
	const image = await openPrivateFile(path, systemClock);
	t.after(() => image.close());
	const parts = (...sizes: number[]) => ({
		volume,
		image,
		contents: new Map(sizes.map((count, number) => [`disk${number}.vhdx`, new MemoryExport('', clusters('', count))])),
	});
	const options = { name: 'volume', description: '' };
	assert.throws(() => volumeExport(parts(5, 3), options), /disk1\.vhdx has 196608 bytes, and 131072 on the volume/);
	assert.throws(() => volumeExport(parts(5), options), { code: 'input_invalid', message: /disk1\.vhdx has no bytes/ });
});
