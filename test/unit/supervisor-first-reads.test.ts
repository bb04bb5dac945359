import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { FirstReads } from '../../movers/first-reads.ts';
import { FirstReadsFiles, type FirstReadsFile } from '../../supervisor/files/first-reads.ts';
import { places } from '../../system/installation.ts';
import { SteppedRecovery } from '../equipment/recoveries.ts';
import { fastDirectory } from '../equipment/simulated-bench.ts';
import { chunkBytes, sector, type Simulation, simulate } from '../equipment/simulated-recovery.ts';

const drill = { name: 'nightly' };

/** A drill up to its machine having read these chunks, after its boot sector. */
async function drilled(here: Simulation, name: string, chunks: readonly number[]): Promise<SteppedRecovery> {
	const recovery = new SteppedRecovery(here.host, { ...here.plan, drill }, name);
	await recovery.run();
	const guest = here.simulated.guest(here.definition(recovery));
	for (const chunk of chunks) await guest.read(0, chunk * chunkBytes + 7 * sector, sector);
	return recovery;
}

async function kept(here: Simulation): Promise<FirstReadsFile | undefined> {
	return new FirstReadsFiles(here.host.installation.home).read(here.plan.repository, here.plan.machine);
}

async function pathOf(here: Simulation): Promise<string> {
	const directory = places.firstReads(here.host.installation.home);
	const [name, ...more] = await readdir(directory);
	assert.deepEqual(more, []);
	return join(directory, name ?? '');
}

/** A file that a drill has left, changed as it says. */
async function leftBehind(t: TestContext, change: (text: string) => string): Promise<Simulation> {
	const here = await simulate(t);
	const recovery = await drilled(here, 'drill1', [2, 1]);
	await recovery.step('keep-first-reads', {});
	await recovery.step('discard', {});
	const path = await pathOf(here);
	await writeFile(path, change(await readFile(path, 'utf8')));
	return here;
}

test('`keep-first-reads` remembers what a drill has read, and the next recovery of the machine fetches that first', async t => {
	const here = await simulate(t);
	const recovery = await drilled(here, 'drill1', [2, 1]);
	assert.deepEqual(await recovery.step('keep-first-reads', {}), { chunks: 3 });
	const reads: FirstReads = [
		[0, 0, 1],
		[0, 2, 1],
		[0, 1, 1],
	];
	assert.deepEqual((await kept(here))?.reads, reads);
	await here.simulated.guest(here.definition(recovery)).read(0, 3 * chunkBytes, sector);
	assert.deepEqual(await recovery.step('keep-first-reads', {}, { again: true }), { chunks: 3 });
	assert.deepEqual((await kept(here))?.reads, reads);
	await recovery.step('discard', {});
	const later = new SteppedRecovery(here.host, { ...here.plan, restorePoint: '2026-11-21T03:00:00.000Z' }, 'r2');
	await later.run();
	const { firstReads } = await later.viewed('all is passed', view => view.firstReads?.passed === 3);
	assert.deepEqual({ ...firstReads, at: '' }, { drill: 'nightly', at: '', chunks: 3, passed: 3, fetched: 3 });
});

test('`keep-first-reads` of what is no drill is refused', async t => {
	const here = await simulate(t);
	await here.recovery.run();
	await assert.rejects(here.recovery.step('keep-first-reads', {}), { code: 'phase_wrong' });
});

test('`keep-first-reads` of a mount mover that was started after its machine leaves what was known before', async t => {
	const here = await leftBehind(t, text => text);
	const recovery = await drilled(here, 'drill2', [1]);
	await here.movers.pair(recovery.recoveryId).mount.die();
	await recovery.viewed('a mount mover again', ({ movers }) => movers.some(one => one.kind === 'mount' && one.alive));
	const guest = here.simulated.guest(here.definition(recovery));
	await guest.read(0, 3 * chunkBytes, sector);
	assert.deepEqual(await recovery.step('keep-first-reads', {}), { chunks: 0 });
	assert.deepEqual(
		(await kept(here))?.reads.map(([, first]) => first),
		[0, 2, 1],
	);
});

for (const [what, change] of [
	['that is damaged', (text: string) => text.slice(0, -20)],
	['of another version', (text: string) => text.replace('"version": 1', '"version": 2')],
	['of disks of another size', (text: string) => text.replace(/"sizeBytes": \d/, '"sizeBytes": 9')],
	['of another machine', (text: string) => text.replace('"machine": "sample"', '"machine": "other"')],
	['larger than any', (text: string) => text + ' '.repeat(1024 * 1024)],
] as const)
	test(`a list ${what} is an incident, and keeps no recovery from starting`, async t => {
		const here = await leftBehind(t, change);
		await here.recovery.run();
		await here.incident('first_reads_ignored');
		assert.equal((await here.recovery.viewed('running', ({ power }) => power === 'on')).firstReads, null);
	});

test('a list with chunks beyond the end of the disk fetches the others', async t => {
	const here = await leftBehind(t, text => text.replace(/"reads": \[/, '"reads": [[0, 4000000, 2], [5, 0, 1],'));
	await here.recovery.run();
	await here.recovery.viewed('the list to be passed', ({ firstReads }) => firstReads?.passed === 6);
});

test('`host.firstReads: false` remembers nothing and fetches nothing first', async t => {
	const here = await leftBehind(t, text => text);
	const before = await kept(here);
	await writeFile(join(here.host.installation.home, 'config.yaml'), 'host:\n  firstReads: false\n');
	const recovery = await drilled(here, 'drill2', [1]);
	assert.equal((await recovery.viewed('running', ({ power }) => power === 'on')).firstReads, null);
	assert.deepEqual(await recovery.step('keep-first-reads', {}), { chunks: 0 });
	assert.deepEqual(await kept(here), before);
});

test('`FirstReadsFiles.write` keeps a thousand lists, and forgets that which was written longest ago', async () => {
	const home = await fastDirectory('rouse-home-');
	const directory = places.firstReads(home);
	await mkdir(directory, { recursive: true });
	for (let number = 0; number < 1_000; number += 1) await writeFile(join(directory, `${number}.json`), '');
	await utimes(join(directory, '17.json'), 1, 1);
	await new FirstReadsFiles(home).write({
		version: 1,
		repository: '/srv/backups',
		machine: 'web01',
		restorePoint: '2026-11-20T03:00:00.000Z',
		disks: [{ sizeBytes: 1024, chunkSizeBytes: 1024 }],
		from: { drill: 'nightly', at: '2026-11-20T04:00:00.000Z' },
		reads: [[0, 0, 1]],
	});
	const names = await readdir(directory);
	assert.equal(names.length, 1_000);
	assert.ok(!names.includes('17.json'));
});
