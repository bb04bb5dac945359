import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { type ArchiveSource, openArchiveDisk } from '../../sources/archive/archive-disk.ts';
import { gunzipped } from '../../sources/archive/gunzip.ts';
import { archiveOf, contentOf, extended, forms, header, record, inPieces, type Layout } from '../equipment/archives.ts';
import { openedArchive, readWhole } from '../equipment/read-archive.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { testPython } from '../equipment/test-python.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const mebibyte = 2 ** 20;

const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

const layouts: fc.Arbitrary<Layout> = fc
	.array(fc.record({ gap: fc.nat({ max: 9 }), blocks: fc.integer({ min: 1, max: 9 }) }), { maxLength: 40 })
	.chain(parts =>
		fc.record({
			parts: fc.constant(parts),
			scale: fc.constantFrom(1, 8, 100),
			lastBytes: fc.integer({ min: 1, max: 700 }),
			tailBytes: fc.constantFrom(0, 0, 1, 511, 4096, 100_000),
		}),
	)
	.map(({ parts, scale, lastBytes, tailBytes }) => {
		let at = 0;
		const placed = parts.map(({ gap, blocks }, index) => {
			const offsetBytes = at + gap * 512 * scale;
			const lengthBytes = index === parts.length - 1 ? lastBytes : blocks * 512 * scale;
			at = offsetBytes + lengthBytes;
			return { offsetBytes, lengthBytes };
		});
		return { sizeBytes: Math.max(1, at + tailBytes), parts: placed };
	});

test('any layout in any form, in pieces and reads of any size, is the disk that it was made of; extents tell its zeros', async () => {
	const sizes = fc.constantFrom(1, 7, 512, 4096, 65_536, 10 ** 6);
	await fc.assert(
		fc.asyncProperty(
			layouts,
			fc.constantFrom(...forms),
			sizes,
			fc.constantFrom(513, 4096, mebibyte),
			async (layout, form, pieceBytes, readBytes) => {
				const archive = archiveOf(form, layout);
				const source = await openedArchive(archive, Math.max(pieceBytes, Math.ceil(archive.length / 2000)));
				const expected = contentOf(layout);
				let covered = 0;
				for await (const { offsetBytes, lengthBytes, kind } of source.extents(never)) {
					assert.equal(offsetBytes, covered);
					covered += lengthBytes;
					if (kind === 'zero') assert.ok(expected.subarray(offsetBytes, covered).every(byte => byte === 0));
				}
				assert.equal(covered, layout.sizeBytes);
				assert.ok((await readWhole(source, readBytes)).equals(expected));
			},
		),
		{ numRuns: 50 },
	);
});

/** Data in the middle and at the end; holes between, and more parts than a header of GNU tar has room for. */
function scattered(sizeBytes = 3 * mebibyte): Layout {
	const parts = Array.from({ length: 30 }, (_, index) => ({
		offsetBytes: 65_536 + index * 81_920,
		lengthBytes: 4096 + (index % 3) * 4096,
	}));
	return { sizeBytes, parts };
}

const layoutEndingIn = (lastBytes: number, tailBytes: number): Layout => ({
	sizeBytes: mebibyte + lastBytes + tailBytes,
	parts: [
		{ offsetBytes: 4096, lengthBytes: 8192 },
		{ offsetBytes: mebibyte, lengthBytes: lastBytes },
	],
});

test('what GNU tar makes of a sparse file is read in each of its forms, also packed', async t => {
	const directory = await temporaryDirectory(t);
	for (const layout of [scattered(), layoutEndingIn(5000, 0), { sizeBytes: mebibyte, parts: [] }]) {
		const content = contentOf(layout);
		const disk = join(directory, 'disk.raw');
		await writeFile(disk, content);
		await run('fallocate', ['--dig-holes', disk]);
		for (const options of gnuOptions) {
			const { stdout } = await run('tar', ['-c', ...options, '-f', '-', 'disk.raw'], {
				cwd: directory,
				encoding: 'buffer',
				maxBuffer: 2 ** 25,
			});
			assert.ok((await readWhole(await openedArchive(stdout))).equals(content), options.join(' '));
			if (!options.includes('-S')) continue;
			const packed = gzipSync(stdout, { level: 1 });
			const source = await openArchiveDisk('a.tar.gz', signal => gunzipped(inPieces(packed, 4000), signal), never);
			assert.ok((await zeroBytes(source)) > (content.length - dataBytes(layout)) / 2, options.join(' '));
			assert.ok((await readWhole(source)).equals(content), options.join(' '));
		}
	}
});

const gnuOptions = [
	['--format=gnu'],
	['--format=posix'],
	['--format=ustar'],
	['--format=v7'],
	['-S', '--format=gnu'],
	['-S', '--format=posix', '--sparse-version=0.0'],
	['-S', '--format=posix', '--sparse-version=0.1'],
	['-S', '--format=posix', '--sparse-version=1.0'],
];

async function zeroBytes(source: ArchiveSource): Promise<number> {
	let sum = 0;
	for await (const { lengthBytes, kind } of source.extents(never)) if (kind === 'zero') sum += lengthBytes;
	return sum;
}

const dataBytes = ({ parts }: Layout) => parts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);

test('a disk of more than 8 GiB is read, whether its size is octal, binary or in a record', async t => {
	const directory = await temporaryDirectory(t);
	const disk = join(directory, 'disk.raw');
	const bytes = Buffer.alloc(65_536, 'far');
	const at = 12 * gibibyte;
	await writeFile(disk, '');
	await truncate(disk, at);
	await appendFile(disk, bytes);
	for (const options of gnuOptions.filter(each => each.includes('-S'))) {
		const tar = ['-c', ...options, '-f', '-', 'disk.raw'];
		const { stdout } = await run('tar', tar, { cwd: directory, encoding: 'buffer' });
		const source = await openedArchive(stdout);
		assert.equal(source.sizeBytes, at + bytes.length);
		const into = Buffer.alloc(bytes.length);
		await source.read(at, into, never);
		assert.ok(into.equals(bytes), options.join(' '));
		await source.checkUnchanged();
		await source.close();
	}
	const sizeBytes = 9 * gibibyte + 1;
	for (const head of [
		header('disk.raw', sizeBytes, { gnu: true }),
		Buffer.concat([extended([record('size', sizeBytes)]), header('disk.raw', 0)]),
	]) {
		const source = await openArchiveDisk('a.tar', () => zerosBehind(head), never);
		assert.equal(source.sizeBytes, sizeBytes);
		await source.close();
	}
});

const gibibyte = 2 ** 30;

async function* zerosBehind(head: Buffer): AsyncGenerator<Buffer> {
	yield head;
	for (;;) yield Buffer.alloc(65_536);
}

test('Python reads the same disks out of the archives of these tests, and what it writes is read', async t => {
	const directory = await temporaryDirectory(t);
	const expected: string[] = [];
	const cases = [scattered(), layoutEndingIn(700, 0), layoutEndingIn(700, 5000), { sizeBytes: 12_345, parts: [] }];
	for (const form of forms)
		for (const layout of cases) {
			await writeFile(join(directory, `${expected.length}.tar`), archiveOf(form, layout));
			expected.push(digestOf(contentOf(layout)));
		}
	await writeFile(join(directory, 'disk.raw'), contentOf(scattered()));
	const { stdout } = await run(await testPython(), ['-c', oracle, directory, String(expected.length)]);
	assert.deepEqual(stdout.trim().split('\n'), expected);
	for (const name of ['ustar.tar', 'gnu.tar', 'pax.tar', 'pax.tar.gz']) {
		const bytes = await readFile(join(directory, name));
		const archive = name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
		assert.ok((await readWhole(await openedArchive(archive))).equals(contentOf(scattered())), name);
	}
});

const oracle = `
import hashlib, os, sys, tarfile
directory, count = sys.argv[1], int(sys.argv[2])
os.chdir(directory)
for number in range(count):
    with tarfile.open(f'{number}.tar') as archive:
        member, = archive.getmembers()
        assert member.name == 'disk.raw', member.name
        print(hashlib.sha256(archive.extractfile(member).read()).hexdigest())
for name, form in (('ustar', tarfile.USTAR_FORMAT), ('gnu', tarfile.GNU_FORMAT), ('pax', tarfile.PAX_FORMAT)):
    with tarfile.open(f'{name}.tar', 'w', format=form, pax_headers={'comment': 'of all'} if name == 'pax' else None) as archive:
        archive.add('disk.raw')
with tarfile.open('pax.tar.gz', 'w:gz', format=tarfile.PAX_FORMAT) as archive:
    archive.add('disk.raw', './disk.raw')
`;
