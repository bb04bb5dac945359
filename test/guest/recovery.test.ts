import assert from 'node:assert/strict';
import { open, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { keys } from '../../repository/format/keys.ts';
import { readPoint, resolvePoint } from '../../repository/points.ts';
import { openRepository } from '../../repository/repository.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EmbeddedInstallation, shownSchema } from '../equipment/embedded-installation.ts';
import { fileMustHold } from '../equipment/recoveries.ts';
import { sampleDisk } from '../equipment/stored-disk.ts';

const importedSchema = z.looseObject({
	machine: z.string(),
	restorePoint: z.iso.datetime(),
	disks: z.array(z.looseObject({ sizeBytes: z.int() })),
	newBytes: z.int(),
	storedBytes: z.int(),
	durationMs: z.number(),
});

test('by commands alone: a machine of two disks is imported, started, migrated while it writes, kept, and removed', async t => {
	const here = await EmbeddedInstallation.up(t);
	const directory = await temporaryDirectory(t);
	const disks = [sampleDisk(8 * 1024 * 1024 + 333), sampleDisk(3 * 1024 * 1024)];
	const images = disks.map((_, n) => join(directory, `disk${n}.raw`));
	for (const [n, bytes] of disks.entries()) await writeFile(images[n] ?? '', bytes);
	await writeFile(join(directory, 'spec.yaml'), 'cpus: 1\nmemoryMiB: 64\n');
	const imported = importedSchema.parse(
		await here.answer('backup', 'import', ...images, '--machine', 'web01', '--spec', join(directory, 'spec.yaml')),
	);
	assert.deepEqual(
		imported.disks.map(disk => disk.sizeBytes),
		disks.map(disk => disk.length),
	);

	const start = ['recover', 'start', 'web01@latest', '--reason', 'test', '--switch', 'manual'];
	const running = shownSchema.parse(await here.answer(...start));
	assert.deepEqual([running.name, running.phase, running.power], ['web01-r1', 'running', 'on']);
	assert.equal(running.restorePoint, imported.restorePoint);
	const attached = z.looseObject({ outcome: z.string() }).parse(await here.answer(...start));
	assert.equal(attached.outcome, 'attached');
	const other = await here.refusal('recover', 'start', 'web01@latest', '--reason', 'something else');
	assert.deepEqual([other.code, other.exitCode], ['name_conflict', 6]);

	const guest = here.guest(running);
	assert.ok(await guest.write(0, { offsetBytes: 1024 * 1024, lengthBytes: 65536, pattern: 0xab }));
	assert.ok(await guest.write(1, { offsetBytes: 512, lengthBytes: 4096, pattern: 0xcd }));
	await here.answer('recover', 'migrate', 'web01-r1');
	await here.shown('web01-r1', 'migrated', ({ phase }) => phase === 'migrated');
	assert.ok(await guest.write(0, { offsetBytes: 4 * 1024 * 1024, lengthBytes: 4096, pattern: 0xef }));
	await here.answer('recover', 'switch', 'web01-r1');
	const finished = await here.shown('web01-r1', 'finished', ({ phase }) => phase === 'finished');
	assert.ok(finished.disks.every(disk => disk.restoredBytes === disk.sizeBytes));
	assert.ok(await guest.reads(1, { offsetBytes: 512, lengthBytes: 4096, pattern: 0xcd }));
	guest.close();

	await here.answer('host', 'stop', 'web01-r1', '--force');
	const left = (await readdir(finished.directory ?? '')).filter(
		name => !/^(machine\.(lock|log)|qemu\.pid)$/.test(name),
	);
	assert.deepEqual(left.toSorted(), ['disk0.raw', 'disk1.raw', 'machine.json', 'start']);
	disks[0]?.fill(0xab, 1024 * 1024, 1024 * 1024 + 65536).fill(0xef, 4 * 1024 * 1024, 4 * 1024 * 1024 + 4096);
	disks[1]?.fill(0xcd, 512, 512 + 4096);
	for (const [n, bytes] of disks.entries()) await fileMustHold(finished.disks[n]?.path ?? '', bytes);

	const entries = z.array(z.looseObject({ kind: z.string(), text: z.string() }));
	const audit = z.looseObject({ entries }).parse(await here.answer('audit', 'web01-r1'));
	const phases = audit.entries.filter(({ kind }) => kind === 'phase').map(({ text }) => text);
	assert.deepEqual(
		phases.map(text => text.replace(/^phase /, '')),
		['planned', 'waiting', 'starting', 'running', 'migrating', 'migrated', 'switching', 'finished'],
	);

	const unsure = await here.refusal('host', 'remove', 'web01-r1', '--confirm', 'web01');
	assert.equal(unsure.exitCode, 2);
	await here.answer('host', 'remove', 'web01-r1', '--confirm', 'web01-r1');
	assert.deepEqual(await readdir(dirname(finished.directory ?? '')), []);
	const pins = await readdir(join(here.repository, 'pins')).catch(() => []);
	assert.deepEqual(pins, []);
});

test('a damaged block stops the guest at that read and parks the recovery; after the repair it goes on', async t => {
	const here = await EmbeddedInstallation.up(t);
	const directory = await temporaryDirectory(t);
	// The firmware reads the first sector: that is this guest's read.
	const bytes = sampleDisk(8 * 1024 * 1024).fill('not zero, so that the first sector has a chunk', 0, 512);
	await writeFile(join(directory, 'disk.raw'), bytes);
	await writeFile(join(directory, 'spec.yaml'), 'cpus: 1\nmemoryMiB: 64\n');
	const spec = ['--machine', 'web01', '--spec', join(directory, 'spec.yaml')];
	await here.answer('backup', 'import', join(directory, 'disk.raw'), ...spec);
	const { digest, flip } = await chunkOf(here.repository, 0);

	await flip();
	const verified = await here.run('backup', 'verify', 'web01@latest');
	assert.equal(verified.exitCode, 9);
	assert.match(verified.stdout, new RegExp(digest));
	await here.run('recover', 'start', 'web01@latest');
	const parked = await here.shown('web01-r1', 'parked', ({ parked: why }) => why !== null);
	assert.deepEqual([parked.parked?.code, parked.phase, parked.power], ['chunk_bad', 'running', 'paused']);
	assert.match(parked.parked?.reason ?? '', new RegExp(`web01@\\S+ .*${digest}`));
	const waiting = await here.refusal('recover', 'start', 'web01@latest', '--wait', 'finished');
	assert.equal(waiting.exitCode, 11);

	await flip();
	await here.answer('recover', 'retry', 'web01-r1');
	const mended = await here.shown('web01-r1', 'going on', ({ power, parked: why }) => power === 'on' && why === null);
	assert.ok(mended.incidents.some(({ kind }) => kind === 'chunk_bad'));
	await here.answer('recover', 'migrate', 'web01-r1');
	const finished = await here.shown('web01-r1', 'finished', ({ phase }) => phase === 'finished');
	await fileMustHold(finished.disks[0]?.path ?? '', bytes);
});

/** A chunk of the only disk of web01@latest, and what damages it; done again it is whole again. */
async function chunkOf(directory: string, index: number): Promise<{ digest: string; flip: () => Promise<void> }> {
	const repository = await openRepository(directory);
	const source = new DirectChunkSource(repository.store);
	try {
		const point = await readPoint(repository, 'web01', await resolvePoint(repository, 'web01', 'latest'));
		const [image] = point.manifest.disks;
		assert.ok(image);
		const entry = await new DiskReader(new VerifiedChunks(source), image).lookup(index);
		assert.ok(entry !== 'zero');
		const flip = async () => {
			const pack = await open(join(directory, keys.pack(entry.packId)), 'r+');
			try {
				const at = entry.offsetBytes + (entry.storedBytes >>> 1);
				const { buffer } = await pack.read(Buffer.alloc(1), 0, 1, at);
				await pack.write(
					buffer.map(byte => byte ^ 1),
					0,
					1,
					at,
				);
			} finally {
				await pack.close();
			}
		};
		return { digest: entry.digest, flip };
	} finally {
		await source.close();
		await repository.store.close();
	}
}
