import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse } from '../equipment/command-line.ts';

const run = promisify(execFile);
const mebibyte = 2 ** 20;

async function installation(t: TestContext): Promise<{ directory: string; home: string }> {
	const directory = await temporaryDirectory(t);
	const home = join(directory, 'home');
	const made = await rouse(home, ['repo', 'init', join(directory, 'main')]);
	assert.equal(made.exitCode, 0, made.stderr);
	return { directory, home };
}

/** A disk with a table of partitions, and data here and there. */
async function makeDisk(directory: string): Promise<void> {
	const disk = join(directory, 'disk.raw');
	await writeFile(disk, '');
	await truncate(disk, 24 * mebibyte);
	const sfdisk = run('sfdisk', ['--quiet', disk]);
	sfdisk.child.stdin?.end('label: gpt\nsize=8MiB, type=uefi\ntype=linux\n');
	await sfdisk;
	const file = await open(disk, 'r+');
	try {
		for (const at of [3 * mebibyte, 17 * mebibyte + 4096, 23 * mebibyte]) {
			const bytes = randomBytes(200_000);
			await file.write(bytes, 0, bytes.length, at);
		}
	} finally {
		await file.close();
	}
}

test('an archive as Google Compute Engine exports it is imported as the disk in it, and one that is damaged is not', async t => {
	const { directory, home } = await installation(t);
	await makeDisk(directory);
	await run('tar', ['--format=oldgnu', '-Sczf', 'image.tar.gz', 'disk.raw'], { cwd: directory });
	const [disk, image] = [join(directory, 'disk.raw'), join(directory, 'image.tar.gz')];
	const raw = await rouse(home, ['backup', 'import', disk, '--machine', 'raw', '--json']);
	assert.equal(raw.exitCode, 0, raw.stderr);
	const archived = await rouse(home, ['backup', 'import', image, '--machine', 'archived', '--json']);
	assert.equal(archived.exitCode, 0, archived.stderr);
	assert.match(archived.stderr, /file systems on disk0: it comes as a stream/);
	assert.partialDeepStrictEqual(JSON.parse(archived.stdout), { newBytes: 0, disks: [{ sizeBytes: 24 * mebibyte }] });

	const shown = await rouse(home, ['backup', 'show', 'archived@latest', '--json']);
	const { config, assumed } = JSON.parse(shown.stdout);
	assert.deepEqual(assumed, ['cpus', 'memoryMiB', 'nics'], 'nobody stated them');
	assert.partialDeepStrictEqual(config, {
		firmware: 'efi',
		origin: { kind: 'image', detail: 'disk.raw in image.tar.gz' },
		boot: { kernels: [], notLookedAt: ['file systems on disk0: it comes as a stream, which is read once'] },
	});

	const bytes = await readFile(image);
	bytes.writeUInt8(bytes.readUInt8(bytes.length - 8) ^ 1, bytes.length - 8); // of gzip's check sum
	await writeFile(image, bytes);
	const refused = await rouse(home, ['backup', 'import', image, '--machine', 'damaged', '--json']);
	const error = JSON.parse(refused.stderr.trim().split('\n').at(-1) ?? '');
	assert.equal(error.code, 'source_invalid');
	assert.match(error.message, /image\.tar\.gz: its gzip data is damaged: incorrect data check/);

	const { stdout } = await rouse(home, ['backup', 'list', '--json']);
	const { restorePoints } = JSON.parse(stdout);
	assert.deepEqual(
		restorePoints.map(({ machine }: { machine: string }) => machine),
		['archived', 'raw'],
	);
	assert.match(restorePoints[0].disks[0].contentDigest, /^[0-9a-f]{64}$/);
	assert.deepEqual(restorePoints[0].disks, restorePoints[1].disks);
});
