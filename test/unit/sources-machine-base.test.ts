import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { importMachine } from '../../repository/import/import-machine.ts';
import { listPoints, readPoint } from '../../repository/points.ts';
import { chooseBase } from '../../sources/machine/steps/choose-base.ts';
import { copyMoment } from '../../sources/machine/steps/copy.ts';
import { giveUp } from '../../sources/machine/steps/give-up.ts';
import { pointTime } from '../../sources/machine/steps/point-time.ts';
import { Faults } from '../../sources/simulated-machine/faults.ts';
import {
	begun,
	block,
	factsOf,
	imported,
	name,
	nextTime,
	ordered,
	signal,
	site,
} from '../equipment/machine-import-site.ts';
import { importDisks, memoryRepository, noise, SparseSource, wholeSource } from '../equipment/repositories.ts';
import { sampleConfig, sampleDisks } from '../equipment/sample-config.ts';
import { changed, wrongly } from '../equipment/wrong-machine-sources.ts';

test('a disk that is new or resized is read whole, and plan and point say why; the others by their changes', async t => {
	const places = await site(t);
	await imported(places);
	await places.machine.resize('disk-1', 3 * block);
	await places.machine.addDisk('disk-2', block);
	const { plan, base, time } = await imported(places);
	const why = (disks: readonly { reads: string; why: string | null }[]) => disks.map(disk => disk.why ?? disk.reads);
	const expected = ['changes', `it had ${2 * block} bytes and has ${3 * block}`, 'it is new since the last point'];
	assert.deepEqual(why(plan.disks), expected);
	assert.deepEqual(base?.disks, [0, null, null]);
	assert.deepEqual(why((await factsOf(places.repository, time)).disks), expected);
});

test('`chooseBase` takes no point of another machine, one that has no checkpoint, or one that does not fit its own facts', async t => {
	const places = await site(t);
	const { repository } = places;
	const order = await imported(places);
	const { described } = order;
	const real = await factsOf(repository, order.time);
	const sources = () => [new SparseSource(4 * block, []), wholeSource(noise(2 * block, 3))];
	const store = async (facts: object, missing = false) => {
		const now = nextTime().toISOString();
		const config = { ...sampleConfig, disks: sampleDisks(2) };
		const disks = sources().map(disk =>
			missing ? Object.assign(disk, { missing: { atBytes: 0, lengthBytes: 1 } }) : disk,
		);
		await importMachine({ repository, machine: name, time: now, sources: disks, config, facts: { source: facts } });
		return now;
	};
	const chosen = async () => {
		const found = await chooseBase(repository, name, described, signal);
		return typeof found === 'string' ? found : found.base.restorePoint;
	};
	await store({ ...real, identity: 'machine-2' });
	await store({ ...real, checkpoint: null });
	await store({ ...real, disks: real.disks.map(disk => ({ ...disk, sizeBytes: block })) });
	assert.equal(await chosen(), order.time);
	const latest = await store(real);
	assert.equal(await chosen(), latest);
	await store(real, true);
	const partial = await chooseBase(repository, name, described, signal);
	assert.ok(typeof partial !== 'string' && partial.why.every(why => why === 'the last point has only a part of it'));
	for (let count = 0; count < 4; count++) await store({ ...real, kind: 'ec2' });
	assert.match(await chosen(), /none of its latest points/);
});

test('`pointTime` is now, behind the latest point, and not behind one that is far in the future', async () => {
	const repository = await memoryRepository();
	const now = new Date('2026-11-20T03:00:00.000Z');
	const time = () => pointTime(repository, name, now, signal);
	assert.equal(await time(), '2026-11-20T03:00:00.000Z');
	for (const taken of ['2031-01-01T00:00:00.000Z', '2026-11-20T03:00:00.000Z', '2026-11-20T03:00:09.000Z'])
		await importDisks(repository, [wholeSource(Buffer.alloc(512))], { machine: name, time: taken });
	assert.equal(await time(), '2026-11-20T03:00:09.001Z');
});

test('a checkpoint that is lost while it is read costs a full read of that disk, and the point says so', async t => {
	const places = await site(t);
	await imported(places);
	await places.machine.write('disk-0', 0, noise(512, 9));
	const copy = await begun(places);
	await new Faults(places.machine.files.faults).set([{ at: 'extents', skip: 2, does: 'lose-checkpoint' }]);
	const { reads, restorePoint } = await copyMoment(places, copy);
	assert.deepEqual(reads[0], { reads: 'all', why: 'its platform has lost what it knew of its changes' });
	assert.equal((await factsOf(places.repository, restorePoint)).disks[0]?.reads, 'all');
});

test('a source that would read changes of a disk that has no base is refused', async t => {
	const places = await site(t);
	const copy = await begun(places);
	const source = wrongly(right => ({
		open: async (...asked) => ({ ...(await right.open(...asked)), reads: 'changes' as const }),
	}))(places.source, places.machine);
	await assert.rejects(copyMoment({ ...places, source }, copy), { code: 'source_invalid', message: /without a base/ });
});

test('a disk is found in the base by its key, whatever its place is', async t => {
	const places = await site(t);
	await places.machine.addDisk('disk-2', 2 * block);
	await places.machine.write('disk-2', 0, noise(2 * block, 5));
	await imported(places);
	await places.machine.removeDisk('disk-0');
	const { base, time } = await imported(places);
	assert.deepEqual(base?.disks, [1, 2]);
	const { manifest } = await readPoint(places.repository, name, time);
	const whole = await memoryRepository(block);
	const contents = await Promise.all(['disk-1', 'disk-2'].map(key => readFile(places.machine.files.disk(key))));
	await importDisks(whole, contents.map(wholeSource), { machine: name, time });
	assert.deepEqual(
		manifest.disks.map(({ contentDigest }) => contentDigest),
		(await readPoint(whole, name, time)).manifest.disks.map(({ contentDigest }) => contentDigest),
	);
});

test('a source that lost the changes of a disk is not given its base again', async t => {
	const places = await site(t);
	await imported(places);
	const copy = await begun(places);
	const source = wrongly(right => ({
		async open(moment, key, known, until) {
			const opened = await right.open(moment, key, known, until);
			if (known.base === undefined || key !== 'disk-0') return opened;
			return changed(opened, {
				async *extents(asked) {
					for await (const extent of opened.source.extents(asked)) {
						if (extent.offsetBytes > 0) throw new RouseError('checkpoint_lost', 'nobody knows');
						yield extent;
					}
				},
			});
		},
	}))(places.source, places.machine);
	const { reads } = await copyMoment({ ...places, source }, copy);
	assert.deepEqual(
		reads.map(disk => disk.reads),
		['all', 'changes'],
	);
});

test('imports that were given up do not hide the base behind the times that they have taken', async t => {
	const places = await site(t);
	const { time } = await imported(places);
	for (let count = 0; count < 5; count++) await giveUp(places, await ordered(places));
	assert.equal((await listPoints(places.repository, name)).length, 6);
	assert.equal((await ordered(places)).base?.restorePoint, time);
});

test('a plan warns when the latest point of this name came from another machine', async t => {
	const places = await site(t);
	await imported(places);
	assert.deepEqual((await ordered(places)).plan.warnings, []);
	await places.machine.become('machine-2');
	assert.match(
		(await ordered(places)).plan.warnings.join(),
		/^the latest point of web01 came from simulated machine-1, /,
	);
});
