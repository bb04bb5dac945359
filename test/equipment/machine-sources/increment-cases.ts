import assert from 'node:assert/strict';
import { noise } from '../repositories.ts';
import type { SourceBench, SourceCase } from './bench.ts';
import { Driven, signal, sinceOf } from './driven.ts';

/** Increments: what is kept from one import to the next. Only for platforms that can tell what has changed. */
export const incrementCases: readonly SourceCase[] = [
	{
		name: 'an increment reads what changed since its checkpoint, and no more than its surroundings',
		async run(bench) {
			const driven = new Driven(bench);
			const { since, contents: base, moment: first } = await driven.committed();
			const [one] = first.disks;
			assert.ok(one);
			await bench.guest.write(one.key, 66_048, noise(1024, 8));
			const { moment, contents } = await driven.beginWith(await driven.order(since));
			await bench.guest.write(one.key, 0, noise(512, 9));
			await driven.mustRead(moment, contents, base);
			for (const { key, sizeBytes } of moment.disks) {
				const { readBytes, reads } = await driven.read(moment, key, base.get(key));
				assert.equal(reads, 'changes');
				assert.ok(key === one.key ? readBytes < sizeBytes : readBytes === 0, `${readBytes} bytes of ${key} were read`);
			}
		},
	},
	{
		name: 'an increment on an increment is right',
		async run(bench) {
			const driven = new Driven(bench);
			let { since, contents: base } = await driven.committed();
			for (const round of [1, 2, 3]) {
				await scribble(bench, [...base.keys()], round);
				const { moment, contents } = await driven.beginWith(await driven.order(since));
				await scribble(bench, [...base.keys()], round + 10);
				await driven.mustRead(moment, contents, base);
				await driven.commit(moment, [since.tag]);
				assert.deepEqual(await driven.tagsLeft(moment.owner), kept(bench, moment.tag));
				[since, base] = [sinceOf(moment), contents];
			}
		},
	},
	{
		name: 'a moment that is abandoned leaves the next increment from the checkpoint before as right as ever',
		async run(bench) {
			const driven = new Driven(bench);
			const { since, contents: base } = await driven.committed();
			// Far from each other: no write hides that another one was forgotten.
			for (const key of base.keys()) await bench.guest.write(key, 0, noise(512, 1));
			const given = await driven.begin(await driven.order(since));
			for (const [key, { length }] of base) await bench.guest.write(key, lastSectors(length), noise(512, 2));
			await driven.abandon(given);
			assert.deepEqual(await driven.tagsLeft(given.owner), kept(bench, since.tag));
			const order = await driven.order(since);
			assert.ok(order.plan.disks.every(({ reads }) => reads === 'changes'));
			const { moment, contents } = await driven.beginWith(order);
			await driven.mustRead(moment, contents, base);
		},
	},
	{
		name: 'a process that dies in begin of an increment leaves the next one right',
		async run(bench) {
			const driven = new Driven(bench);
			const { since, contents: base } = await driven.committed();
			for (const [number, diesAt] of bench.places.entries()) {
				await scribble(bench, [...base.keys()], number);
				const order = await driven.order(since);
				await assert.rejects(driven.begin(order, { diesAt }), `nobody died at ${diesAt}`);
				const { moment, contents } = await driven.beginWith(order);
				await driven.mustRead(moment, contents, base);
				await driven.abandon(moment);
			}
		},
	},
	{
		name: 'without a base everything is read, also of a moment that was planned as an increment',
		async run(bench) {
			const driven = new Driven(bench);
			const { since } = await driven.committed();
			const { moment, contents } = await driven.beginWith(await driven.order(since));
			for (const { key } of moment.disks) assert.equal((await driven.read(moment, key)).reads, 'all');
			await driven.mustRead(moment, contents);
		},
	},
	{
		name: 'commit keeps one checkpoint, drops those that are named, and may come again',
		async run(bench) {
			const driven = new Driven(bench);
			const { since, contents: base } = await driven.committed();
			const { moment } = await driven.beginWith(await driven.order(since));
			await driven.commit(moment);
			assert.deepEqual((await driven.tagsLeft(moment.owner)).toSorted(), kept(bench, since.tag, moment.tag));
			await driven.commit(moment, [since.tag]);
			await driven.commit(moment, [since.tag]);
			assert.deepEqual(await driven.tagsLeft(moment.owner), kept(bench, moment.tag));
			await scribble(bench, [...base.keys()], 4);
			const order = await driven.order(sinceOf(moment));
			assert.ok(order.plan.disks.every(({ reads }) => reads === 'changes'));
			await driven.commit(moment, [moment.tag]);
			assert.deepEqual(await driven.tagsLeft(moment.owner), []);
		},
	},
	{
		name: "what another repository keeps is neither dropped nor abandoned by one's own",
		async run(bench) {
			const own = new Driven(bench);
			const other = new Driven(bench, 'web02');
			const { since, contents: base } = await other.committed();
			const { moment } = await own.committed();
			await own.commit(moment, [since.tag]);
			await own.abandon({ ...moment, tag: since.tag });
			assert.deepEqual(await own.tagsLeft(moment.owner), kept(bench, moment.tag));
			assert.equal((await own.tagsLeft()).length, bench.keepsNoCheckpoint ? 0 : 2);
			await scribble(bench, [...base.keys()], 5);
			const { moment: next, contents } = await other.beginWith(await other.order(since));
			await other.mustRead(next, contents, base);
		},
	},
	{
		name: 'a checkpoint that is gone, or not understood, means that everything is read, and why',
		async run(bench) {
			const driven = new Driven(bench);
			const { since, contents: base, moment: first } = await driven.committed();
			const strange = { tag: since.tag, checkpoint: { version: 77 } };
			for (const disk of (await driven.order(strange)).plan.disks) assert.equal(disk.reads, 'all');
			if (bench.keepsNoCheckpoint) return;
			await driven.commit(first, [first.tag]);
			const order = await driven.order(since);
			for (const { reads, why } of order.plan.disks) assert.ok(reads === 'all' && why !== null);
			const { moment, contents } = await driven.beginWith(order);
			await driven.mustRead(moment, contents, base);
		},
	},
	{
		name: 'a checkpoint that is lost between plan and reading never makes a wrong disk',
		async run(bench) {
			if (bench.fate.loseCheckpoints === undefined) return;
			const driven = new Driven(bench);
			const { since, contents: base } = await driven.committed();
			await scribble(bench, [...base.keys()], 6);
			const order = await driven.order(since);
			await bench.fate.loseCheckpoints();
			const { moment, contents } = await driven.beginWith(order);
			for (const { key } of moment.disks) {
				const { bytes } = await driven.read(moment, key, base.get(key)).catch((error: unknown) => {
					assert.equal(Reflect.get(Object(error), 'code'), 'checkpoint_lost');
					return driven.read(moment, key);
				});
				assert.ok(bytes.equals(contents.get(key) ?? Buffer.alloc(0)), `${key} is wrong`);
			}
		},
	},
	{
		name: 'a moment is read after its checkpoint was dropped, or is checkpoint_lost',
		async run(bench) {
			const driven = new Driven(bench);
			const { since, contents: base, moment: first } = await driven.committed();
			await scribble(bench, [...base.keys()], 7);
			const { moment, contents } = await driven.beginWith(await driven.order(since));
			await driven.commit(first, [first.tag]);
			for (const { key } of moment.disks) {
				const { bytes } = await driven.read(moment, key, base.get(key)).catch((error: unknown) => {
					assert.equal(Reflect.get(Object(error), 'code'), 'checkpoint_lost');
					return driven.read(moment, key);
				});
				assert.ok(bytes.equals(contents.get(key) ?? Buffer.alloc(0)), `${key} is wrong`);
			}
			await driven.with(async source => {
				assert.equal(await source.ready(moment, signal), 'ready');
			});
		},
	},
];

/** Tags whose checkpoints the platform keeps, sorted. */
function kept({ keepsNoCheckpoint }: SourceBench, ...tags: string[]): string[] {
	return keepsNoCheckpoint ? [] : tags.toSorted();
}

function lastSectors(sizeBytes: number): number {
	return (Math.floor(sizeBytes / 512) - 1) * 512;
}

/** Here and there on every disk, and zeros as well. */
async function scribble(bench: SourceBench, keys: readonly string[], seed: number): Promise<void> {
	for (const [number, key] of keys.entries()) {
		const { length } = await bench.guest.content(key);
		const sectors = Math.floor(length / 512);
		const at = (((seed * 7919 + number * 104_729) >>> 0) % Math.max(1, sectors - 4)) * 512;
		await bench.guest.write(key, at, seed % 3 === 2 ? Buffer.alloc(1024) : noise(1024, seed + 100));
	}
}
