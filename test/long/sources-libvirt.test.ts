/** What the suite of machine sources does not ask of a domain: deaths of QEMU, of libvirtd and of ours, and what keeps no bitmaps. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, suite, type TestContext, test } from 'node:test';
import { mustSurviveDeaths } from '../equipment/killed-source-imports.ts';
import { Driven, signal } from '../equipment/machine-sources/driven.ts';
import { waitFor } from '../../system/wait.ts';
import { noise } from '../equipment/repositories.ts';
import { Libvirt } from '../equipment/source-libvirt.ts';
import { makeLibvirtSourceBench } from '../equipment/source-libvirt-bench.ts';

suite("a domain of libvirt's", () => {
	let libvirt: Libvirt;
	before(async () => {
		libvirt = await Libvirt.start();
	});
	after(() => libvirt.stop());

	async function benchOf(t: TestContext, options: Parameters<typeof makeLibvirtSourceBench>[1] = {}) {
		const bench = await makeLibvirtSourceBench(libvirt, options);
		t.after(() => bench.dispose());
		return bench;
	}

	for (const [ends, why] of [
		['destroy', null],
		['kill', /^its bitmap is gone, or was in use when QEMU was killed$/],
	] as const)
		test(`after ${ends} of its QEMU between two imports it is read by its changes only where its bitmaps were stored`, async t => {
			const bench = await benchOf(t);
			const driven = new Driven(bench);
			const [key = ''] = bench.keys;
			const { since, contents: base } = await driven.committed();
			await bench.guest.write(key, 512 * 1024, noise(4096, 3));
			await bench.flush();
			if (ends === 'destroy') await libvirt.virsh('destroy', bench.name);
			else await libvirt.killMachine(bench.name);
			await assert.rejects(driven.order(since), { code: 'source_unreachable', hint: /start it/ });
			await bench.start();
			await bench.guest.write(key, 900 * 1024, noise(4096, 4));
			const order = await driven.order(since);
			for (const disk of order.plan.disks) {
				assert.equal(disk.reads, why === null ? 'changes' : 'all');
				if (why !== null) assert.match(disk.why ?? '', why);
			}
			const { moment, contents } = await driven.beginWith(order);
			await driven.mustRead(moment, contents, base);
			await driven.commit(moment, [since.tag]);
			assert.deepEqual(await driven.tagsLeft(), [moment.tag]);
			assert.equal((await bench.bitmaps()).length, 2, 'one bitmap for each disk is kept');
		});

	test('a moment of a domain that has ended is lost, and what was left of it is removed when it runs again', async t => {
		const bench = await benchOf(t);
		const driven = new Driven(bench);
		const [key = ''] = bench.keys;
		const order = await driven.order();
		const moment = await driven.begin(order);
		await driven.with(async source => {
			const { source: disk } = await source.open(moment, key, {}, signal);
			try {
				await libvirt.killMachine(bench.name);
				await assert.rejects(disk.read(0, Buffer.alloc(512), signal), { code: 'moment_lost' });
			} finally {
				await disk.close();
			}
		});
		await assert.rejects(driven.abandon(order), { code: 'source_unreachable' });
		await bench.start();
		await assert.rejects(driven.read(moment, key), { code: 'moment_lost' });
		await driven.abandon(order);
		assert.deepEqual(await driven.leftovers(), []);
		assert.deepEqual(await bench.bitmaps(), []);
		assert.deepEqual(await scratchesIn(bench.directory), []);
	});

	test('a moment outlives libvirtd: it is unreachable meanwhile, then found again, read and committed', async t => {
		const bench = await benchOf(t);
		const driven = new Driven(bench);
		const { since, contents: base } = await driven.committed();
		const [key = ''] = bench.keys;
		await bench.guest.write(key, 0, noise(4096, 5));
		const order = await driven.order(since);
		const { moment, contents } = await driven.beginWith(order);
		await driven.with(async source => {
			const { source: disk } = await source.open(moment, key, {}, signal);
			try {
				await libvirt.killDaemon();
				const bytes = Buffer.alloc(4096);
				await disk.read(0, bytes, signal); // QEMU serves on
				assert.deepEqual(bytes, contents.get(key)?.subarray(0, 4096));
				await assert.rejects(async () => disk.checkUnchanged?.(signal), { code: 'source_unreachable' });
				await assert.rejects(driven.begin(order), { code: 'source_unreachable' });
				await libvirt.startDaemon();
				await disk.checkUnchanged?.(signal);
			} finally {
				await disk.close();
			}
		});
		await bench.guest.write(key, 8192, noise(4096, 6));
		assert.deepEqual(await driven.begin(order), moment);
		await driven.mustRead(moment, contents, base);
		await driven.commit(moment, [since.tag]);
		assert.deepEqual(await driven.tagsLeft(), [moment.tag]);
		const next = await driven.beginWith(await driven.order({ tag: moment.tag, checkpoint: moment.checkpoint ?? {} }));
		await driven.mustRead(next.moment, next.contents, contents);
	});

	test('a checkpoint that stayed behind is no base: an increment is from the last that was committed', async t => {
		const bench = await benchOf(t);
		const driven = new Driven(bench);
		const { since, contents: base } = await driven.committed();
		const [key = ''] = bench.keys;
		await bench.guest.write(key, 256 * 1024, noise(512, 7));
		const lost = await driven.begin(await driven.order(since));
		await libvirt.virsh('domjobabort', bench.name);
		// It answers before the job has ended; one that libvirtd dies in is a job that nothing ends (docs/sources.md).
		const isOver = async () => /^Job type:\s*None/m.test(await libvirt.virsh('domjobinfo', bench.name));
		await waitFor('libvirt to end the job', isOver, { timeoutMs: 30_000 });
		await libvirt.killDaemon();
		await libvirt.startDaemon();
		await bench.guest.write(key, 512 * 1024, noise(512, 8));
		assert.deepEqual((await driven.tagsLeft()).toSorted(), [since.tag, lost.tag].toSorted());
		const { moment, contents } = await driven.beginWith(await driven.order(since));
		await driven.mustRead(moment, contents, base);
		await driven.abandon(lost);
		await driven.mustRead(moment, contents, base);
		await driven.commit(moment, [since.tag]);
		assert.deepEqual(await driven.tagsLeft(), [moment.tag]);
	});

	test('of two disks the one that is no qcow2 image is read whole each time, and why; both at one moment', async t => {
		const bench = await benchOf(t, { formats: ['qcow2', 'raw'] });
		const driven = new Driven(bench);
		const { since, contents: base } = await driven.committed();
		for (const key of bench.keys) await bench.guest.write(key, 300 * 1024, noise(1024, 9));
		const order = await driven.order(since);
		const why = 'it is no qcow2 image: libvirt records nothing of it';
		assert.deepEqual(
			order.plan.disks.map(disk => [disk.reads, disk.why]),
			[
				['changes', null],
				['all', why],
			],
		);
		assert.match(order.plan.warnings.join('\n'), /disk1 is no qcow2 image/);
		const { moment, contents } = await driven.beginWith(order);
		for (const key of bench.keys) await bench.guest.write(key, 0, noise(1024, 10));
		await driven.mustRead(moment, contents, base);
	});

	test('a domain of raw disks alone has no checkpoint, and is read', async t => {
		const bench = await benchOf(t, { formats: ['raw'] });
		const driven = new Driven(bench);
		const { since } = await driven.committed();
		const { moment, contents } = await driven.beginWith(await driven.order(since));
		await driven.mustRead(moment, contents);
		await driven.commit(moment, [since.tag]);
		assert.deepEqual(await driven.leftovers(), []);
	});

	test('what is no disk of its own is left alone', async t => {
		const cd = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>";
		const bench = await benchOf(t, { devices: cd });
		const driven = new Driven(bench);
		const order = await driven.order();
		assert.deepEqual(order.described.leftOut, [{ what: 'sda', why: 'its medium can be taken out' }]);
		assert.deepEqual(
			order.described.disks.map(({ key, sizeBytes }) => [key, sizeBytes]),
			[
				[bench.keys[0], 1_048_576],
				[bench.keys[1], 614_912],
			],
		);
		const { moment, contents } = await driven.beginWith(order);
		await driven.mustRead(moment, contents);
	});

	test('a domain whose QEMU would die of its reader is not read', async t => {
		const bench = await benchOf(t, { more: '<iothreads>1</iothreads>' });
		const { 0: major = '' } = /\d+(?=\.\d+\.\d+\s*$)/.exec(await libvirt.virsh('version')) ?? [];
		const planned = new Driven(bench).order();
		if (Number(major) >= 9) await planned;
		else await assert.rejects(planned, { code: 'source_invalid', message: /iothread \(iothread1\) may die/ });
	});

	test('imports by processes that are killed at every step hold what the disks held at their moment, three increments among them', async t => {
		const bench = await benchOf(t);
		await mustSurviveDeaths(t, bench, [
			{ reads: 'all', begin: 'scratch', copy: 'data' },
			{ reads: 'changes', begin: 'taken', copy: 'data' },
			{ reads: 'changes', begin: 'begun', commit: 'kept' },
			{ reads: 'changes', copy: 'data', commit: 'dropped' },
		]);
		assert.equal((await bench.bitmaps()).length, 2, 'one bitmap for each disk is kept');
		assert.deepEqual(await scratchesIn(bench.directory), []);
	});
});

async function scratchesIn(directory: string): Promise<string[]> {
	return (await readdir(directory)).filter(name => name.startsWith('rouse-'));
}
