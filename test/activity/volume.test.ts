import assert from 'node:assert/strict';
import { open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { VolumeDescription } from '../../volume/description.ts';
import { ensureVolume, readVolume, volumePaths } from '../../volume/ensure-volume.ts';
import { checkVolumeFits } from '../../volume/fits.ts';
import { Mft, type ReadAt } from '../../volume/ntfs/mft.ts';
import { encodeRecord } from '../../volume/ntfs/record.ts';
import { extentsOf } from '../../volume/ntfs/whole-file.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { run } from '../equipment/served-disk.ts';
import { SmallFileSystem } from '../equipment/small-file-system.ts';
import { sampleVolume } from '../equipment/volumes.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const TiB = 1024 * 1024 * MiB;

/** What ntfsinfo says of a file. */
async function saidByNtfsinfo(image: string, name: string) {
	const said = await run('ntfsinfo', ['-f', '-v', '-F', name, image]);
	// Standard information and file name have sizes, too; those of the content come last.
	const number = (what: string) =>
		Number(
			said
				.match(new RegExp(`${what}:\\s+(\\d+)`, 'g'))
				?.at(-1)
				?.match(/\d+$/)?.[0],
		);
	const runs = [...said.slice(said.lastIndexOf('Runlist:')).matchAll(/0x([\da-f]+)\t+0x([\da-f]+)\t+0x([\da-f]+)/g)];
	return {
		sizes: ['Data size', 'Allocated size', 'Initialized size'].map(number),
		extents: runs.map(([, , cluster = '', clusters = '']) => ({
			offsetBytes: Number.parseInt(cluster, 16) * 64 * KiB,
			sizeBytes: Number.parseInt(clusters, 16) * 64 * KiB,
		})),
	};
}

async function writtenMiB(image: string): Promise<number> {
	return ((await stat(image)).blocks * 512) / MiB;
}

for (const [title, sizes] of [
	['a small disk', [12 * MiB]],
	['a disk whose size is odd', [37 * MiB + 64 * KiB]],
	['2 TiB, for which ntfs-3g finds no space with little to spare', [2 * TiB]],
	['four disks of together 6 TiB', [1 * TiB, 2 * TiB, 37 * MiB, 3 * TiB]],
	['14 TiB', [14 * TiB]],
] as const)
	test(`\`ensureVolume\` of ${title}: ntfsinfo sees the same extents, and all bytes initialized`, async t => {
		const directory = await temporaryDirectory(t);
		const startedAt = performance.now();
		const volume = await ensureVolume(directory, sampleVolume(...sizes));
		const { image } = volumePaths(directory);
		t.diagnostic(`${Math.round(performance.now() - startedAt)} ms, ${Math.round(await writtenMiB(image))} MiB written`);
		for (const { name, sizeBytes, extents } of volume.files)
			assert.deepEqual(await saidByNtfsinfo(image, name), { sizes: [sizeBytes, sizeBytes, sizeBytes], extents });
		assert.ok((await writtenMiB(image)) < 128);
		assert.equal((await stat(image)).mode & 0o777, 0o600);
	});

test('`ensureVolume` again gives what was made, and touches nothing', async t => {
	const directory = await temporaryDirectory(t);
	const request = sampleVolume(12 * MiB, 64 * KiB);
	const made = await ensureVolume(directory, request);
	const { image, description } = volumePaths(directory);
	const before = [await stat(image), await stat(description)];
	assert.deepEqual(await ensureVolume(directory, request), made);
	const after = [await stat(image), await stat(description)];
	assert.deepEqual(
		after.map(({ ino, mtimeMs }) => [ino, mtimeMs]),
		before.map(({ ino, mtimeMs }) => [ino, mtimeMs]),
	);
	assert.deepEqual((await readdir(directory)).toSorted(), ['volume.json', 'volume.ntfs']);
});

test('`ensureVolume` throws away what was half made, and makes the same volume from the same request', async t => {
	const directory = await temporaryDirectory(t);
	const request = sampleVolume(12 * MiB, 40 * MiB);
	const made = await ensureVolume(directory, request);
	const { image, description } = volumePaths(directory);
	await rm(description);
	await writeFile(image, 'cut');
	for (const half of [image, description, join(directory, 'volume-size')])
		await writeFile(`${half}.0123456789ab.rouse-tmp`, 'half');
	assert.equal(await readVolume(directory), undefined);
	assert.deepEqual(await ensureVolume(directory, request), made);
	assert.deepEqual((await readdir(directory)).toSorted(), ['volume.json', 'volume.ntfs']);
});

test('`ensureVolume` that was aborted leaves nothing', async t => {
	const directory = await temporaryDirectory(t);
	const reason = new Error('enough');
	const signal = AbortSignal.abort(reason);
	await assert.rejects(ensureVolume(directory, sampleVolume(12 * MiB), { signal }), reason);
	assert.deepEqual(await readdir(directory), []);
});

test('`ensureVolume` refuses another volume, one that is damaged, and nonsense', async t => {
	const directory = await temporaryDirectory(t);
	const request = sampleVolume(12 * MiB);
	await assert.rejects(ensureVolume(directory, sampleVolume(12 * MiB + 1)), { code: 'input_invalid' });
	await assert.rejects(ensureVolume(directory, sampleVolume()), { code: 'input_invalid' });
	await ensureVolume(directory, request);
	await assert.rejects(ensureVolume(directory, sampleVolume(13 * MiB)), { code: 'identity_conflict' });
	const { image, description } = volumePaths(directory);
	const text = await readFile(description, 'utf8');
	const changed = async (change: (document: VolumeDescription) => void) => {
		const document = JSON.parse(text) as VolumeDescription;
		change(document);
		await writeFile(description, JSON.stringify(document));
		await assert.rejects(readVolume(directory), { code: 'format_damaged' });
	};
	await changed(({ files }) => files[0]?.extents.push({ offsetBytes: 0, sizeBytes: 64 * KiB }));
	await changed(({ files }) => files.push({ ...files[0]!, name: 'disk1.vhdx' }));
	await changed(({ files }) => (files[0]!.extents[0]!.offsetBytes = 2 ** 40));
	await changed(document => (document.sizeBytes = 4096));
	await writeFile(description, '{}');
	await assert.rejects(readVolume(directory), /volume\.json: version: must be 0$/);
	await writeFile(description, text.slice(0, -10));
	await assert.rejects(readVolume(directory), { code: 'format_damaged' });
	await writeFile(description, text);
	await truncate(image, 4096);
	await assert.rejects(readVolume(directory), { code: 'format_damaged' });
	await rm(image);
	await assert.rejects(readVolume(directory), /is not there, and had \d+ when it was made/);
});

test('without ntfs-3g `ensureVolume` says what to install, and leaves nothing', async t => {
	const directory = await temporaryDirectory(t);
	const script = `
		import { ensureVolume } from ${JSON.stringify(new URL('../../volume/ensure-volume.ts', import.meta.url).href)};
		await ensureVolume(${JSON.stringify(directory)}, ${JSON.stringify(sampleVolume(12 * MiB))}).catch(error => {
			console.log(error.code, error.hint);
		});`;
	const hide = 'mount -t tmpfs none /usr/sbin; [ -L /sbin ] || mount -t tmpfs none /sbin';
	const start = `${hide}; exec "$0" --input-type=module-typescript --eval "$1"`;
	const said = await run('unshare', ['--mount', 'sh', '-c', start, process.execPath, script]);
	assert.equal(said, 'tool_missing apt-get install ntfs-3g\n');
	assert.deepEqual(await readdir(directory), []);
});

test('`checkVolumeFits` asks the file system: ext4 takes 14 TiB and not 17, which is said with numbers', async t => {
	const { directory } = await SmallFileSystem.create(t);
	await checkVolumeFits(directory, sampleVolume(14 * TiB));
	await assert.rejects(ensureVolume(directory, sampleVolume(9 * TiB, 8 * TiB)), {
		code: 'precheck_failed',
		message: /17\.0 TiB with its 2 disks.* no more than 15\.9 TiB/,
	});
	assert.deepEqual(await readdir(directory), ['lost+found']);
});

test('`ensureVolume` on a file system too small for its metadata is `space_short`, and leaves nothing', async t => {
	const { directory } = await SmallFileSystem.create(t, { sizeMiB: 24 });
	await assert.rejects(ensureVolume(directory, sampleVolume(12 * MiB)), { code: 'space_short' });
	assert.deepEqual(await readdir(directory), ['lost+found']);
});

test('a file whose clusters are those of another, or of the MFT itself, is refused', async t => {
	const directory = await temporaryDirectory(t);
	const { partition } = await ensureVolume(directory, sampleVolume(12 * MiB, 12 * MiB));
	await using image = await open(volumePaths(directory).image);
	const readAt: ReadAt = async (offset, length) => (await image.read(Buffer.alloc(length), 0, length, offset)).buffer;
	const mft = await Mft.read(readAt, partition.sizeBytes);
	const { record, data, atBytes } = mft.file('disk1.vhdx');
	for (const other of [mft.file('disk0.vhdx').data.runs[0]?.cluster, mft.geometry.mftAtBytes / (64 * KiB)]) {
		const bytes = Buffer.from(record.bytes);
		// One run of 192 clusters: a length of two bytes, a cluster of three.
		bytes.set([0x32, 192, 0, ...[0, 8, 16].map(shift => ((other ?? 0) >> shift) & 0xff), 0], data.atBytes + 64);
		const moved: ReadAt = async (offset, length) =>
			offset === atBytes ? encodeRecord({ ...record, bytes }) : await readAt(offset, length);
		await assert.rejects(Mft.read(moved, partition.sizeBytes), /NTFS: cluster \d+ of record \d+ is another's too/);
	}
});

test('a byte that is another in boot sector, $MFT or a file ends in `format_damaged` or extents on the volume', async t => {
	const directory = await temporaryDirectory(t);
	const [file] = (await ensureVolume(directory, sampleVolume(12 * MiB))).files;
	assert.ok(file);
	const { partition } = (await readVolume(directory)) ?? assert.fail();
	await using image = await open(volumePaths(directory).image);
	const pieces = new Map<number, Buffer>();
	const readAt: ReadAt = async (offset, length) => {
		const known = pieces.get(offset);
		if (known?.length === length) return Buffer.from(known);
		const { buffer } = await image.read(Buffer.alloc(length), 0, length, offset);
		pieces.set(offset, Buffer.from(buffer));
		return buffer;
	};
	const mft = await Mft.read(readAt, partition.sizeBytes);
	const places = [0, mft.geometry.mftAtBytes, mft.file(file.name).atBytes];
	let damaged = 0;
	for (const place of places)
		for (let at = 0; at < (pieces.get(place)?.length ?? 0); at++) {
			const flipped: ReadAt = async (offset, length) => {
				const bytes = await readAt(offset, length);
				if (offset === place) bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
				return bytes;
			};
			try {
				const extents = extentsOf(await Mft.read(flipped, partition.sizeBytes), file.name, file.sizeBytes);
				assert.equal(
					extents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
					file.sizeBytes,
				);
				for (const { offsetBytes, sizeBytes } of extents)
					assert.ok(offsetBytes >= 0 && offsetBytes + sizeBytes <= partition.sizeBytes);
			} catch (error) {
				assert.match(String(error), /NTFS: /);
				damaged += 1;
			}
		}
	assert.ok(damaged > 200, `${damaged} of them were noticed`);
});
