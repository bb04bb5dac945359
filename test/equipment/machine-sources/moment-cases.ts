import assert from 'node:assert/strict';
import { noise } from '../repositories.ts';
import type { SourceCase } from './bench.ts';
import { Driven, signal } from './driven.ts';

/** A moment: what is begun, found again, read, lost and given up. */
export const momentCases: readonly SourceCase[] = [
	{
		name: 'describing and planning change nothing, and say the same again',
		async run(bench) {
			const driven = new Driven(bench);
			const first = await driven.order();
			const second = await driven.order();
			assert.deepEqual(second.described, first.described);
			assert.deepEqual(second.plan, first.plan);
			assert.deepEqual(
				first.plan.disks.map(({ key, reads }) => ({ key, reads })),
				first.described.disks.map(({ key }) => ({ key, reads: 'all' })),
			);
			assert.deepEqual(await driven.leftovers(), []);
		},
	},
	{
		name: 'a moment reads as its disks were when it was begun, whatever the guest writes then',
		async run(bench) {
			const driven = new Driven(bench);
			const { moment, contents } = await driven.beginWith(await driven.order());
			for (const { key } of moment.disks) await bench.guest.write(key, 0, noise(70_144, 5));
			await driven.mustRead(moment, contents);
			assert.deepEqual(await driven.tagsLeft(moment.owner), bench.keepsNothing ? [] : [moment.tag]);
		},
	},
	{
		name: 'a moment is found again by its tag, and nothing is begun beside it',
		async run(bench) {
			const driven = new Driven(bench);
			const order = await driven.order();
			const { moment, contents } = await driven.beginWith(order);
			const before = await driven.leftovers();
			for (const { key } of moment.disks) await bench.guest.write(key, 512, noise(512, 6));
			assert.deepEqual(await driven.begin(order), moment);
			assert.deepEqual(await driven.leftovers(), before);
			await driven.mustRead(moment, contents);
		},
	},
	{
		name: 'two moments do not disturb each other',
		async run(bench) {
			const driven = new Driven(bench);
			const first = await driven.beginWith(await driven.order());
			for (const { key } of first.moment.disks) await bench.guest.write(key, 0, noise(1024, 7));
			const second = await driven.beginWith(await driven.order()).catch((error: unknown) => {
				assert.equal(Reflect.get(Object(error), 'code'), 'source_busy');
			});
			if (second !== undefined) {
				assert.notEqual(second.moment.moment, first.moment.moment);
				await driven.mustRead(second.moment, second.contents);
				await driven.abandon(second.moment);
			}
			await driven.mustRead(first.moment, first.contents);
		},
	},
	{
		name: 'a process that dies anywhere in begin leaves what another one finds complete, or begins anew',
		async run(bench) {
			const driven = new Driven(bench);
			const whole = await driven.order();
			await driven.begin(whole);
			const { length } = await driven.leftovers();
			await driven.abandon(whole);
			for (const diesAt of bench.places) {
				const order = await driven.order();
				await assert.rejects(driven.begin(order, { diesAt }), `nobody died at ${diesAt}`);
				const { moment, contents } = await driven.beginWith(order);
				await driven.mustRead(moment, contents);
				assert.equal((await driven.leftovers()).length, length, `more is there after a death at ${diesAt}`);
				await driven.abandon(order);
				assert.deepEqual(await driven.leftovers(), [], `something is left after a death at ${diesAt}`);
			}
		},
	},
	{
		name: 'what a process that died in begin has left is abandoned without a trace',
		async run(bench) {
			const driven = new Driven(bench);
			for (const diesAt of bench.places) {
				const order = await driven.order();
				await assert.rejects(driven.begin(order, { diesAt }), `nobody died at ${diesAt}`);
				await driven.abandon(order);
				assert.deepEqual(await driven.leftovers(), [], `something is left after a death at ${diesAt}`);
			}
		},
	},
	{
		name: 'to abandon may come first, and again',
		async run(bench) {
			const driven = new Driven(bench);
			const order = await driven.order();
			await driven.abandon(order);
			await driven.begin(order);
			await driven.abandon(order);
			await driven.abandon(order);
			assert.deepEqual(await driven.leftovers(), []);
		},
	},
	{
		name: 'a moment that was abandoned is lost',
		async run(bench) {
			if (bench.keepsNothing) return;
			const driven = new Driven(bench);
			const moment = await driven.begin(await driven.order());
			await driven.abandon(moment);
			const [disk] = moment.disks;
			assert.ok(disk);
			await assert.rejects(driven.read(moment, disk.key), { code: 'moment_lost' });
			await assert.rejects(
				driven.with(source => source.ready(moment, signal)),
				{ code: 'moment_lost' },
			);
		},
	},
	{
		name: 'a moment that is gone while it is read is moment_lost',
		async run(bench) {
			if (bench.fate.loseMoments === undefined) return;
			const driven = new Driven(bench);
			const moment = await driven.begin(await driven.order());
			const [disk] = moment.disks;
			assert.ok(disk);
			await driven.with(async source => {
				const opened = await source.open(moment, disk.key, {}, signal);
				try {
					await bench.fate.loseMoments?.();
					await assert.rejects(opened.source.read(0, Buffer.alloc(512), signal), { code: 'moment_lost' });
				} finally {
					await opened.source.close();
				}
			});
		},
	},
	{
		name: 'disks that are not those of the plan are source_changed, and nothing is begun',
		async run(bench) {
			if (bench.owner.addDisk === undefined) return;
			const driven = new Driven(bench);
			const order = await driven.order();
			await bench.owner.addDisk();
			await assert.rejects(driven.begin(order), { code: 'source_changed' });
			assert.deepEqual(await driven.leftovers(), []);
		},
	},
	{
		name: 'a machine on which somebody else is at work is source_busy, and nothing is begun',
		async run(bench) {
			if (bench.owner.beBusy === undefined) return;
			const driven = new Driven(bench);
			const order = await driven.order();
			await bench.owner.beBusy();
			await assert.rejects(driven.begin(order), { code: 'source_busy' });
			assert.deepEqual(await driven.leftovers(), []);
		},
	},
	{
		name: 'another machine at the address is identity_conflict, and nothing of the first one is touched',
		async run(bench) {
			if (bench.owner.replaceMachine === undefined) return;
			const driven = new Driven(bench);
			const order = await driven.order();
			const moment = await driven.begin(await driven.order());
			const before = await driven.leftovers();
			const [disk] = moment.disks;
			assert.ok(disk);
			await bench.owner.replaceMachine();
			const refused = { code: 'identity_conflict' };
			await assert.rejects(driven.begin(order), refused);
			await assert.rejects(driven.read(moment, disk.key), refused);
			await assert.rejects(driven.commit(moment, [moment.tag]), refused);
			await assert.rejects(driven.abandon(moment), refused);
			assert.deepEqual(await driven.leftovers(), before);
		},
	},
	{
		name: 'an aborted signal ends what is read, with its reason',
		async run(bench) {
			const driven = new Driven(bench);
			const moment = await driven.begin(await driven.order());
			const [disk] = moment.disks;
			assert.ok(disk);
			const reason = new Error('enough');
			await driven.with(async source => {
				const { source: opened } = await source.open(moment, disk.key, {}, signal);
				try {
					await assert.rejects(opened.read(0, Buffer.alloc(512), AbortSignal.abort(reason)), reason);
				} finally {
					await opened.close();
				}
			});
		},
	},
	{
		name: 'nothing secret is in what crosses processes',
		async run(bench) {
			const driven = new Driven(bench);
			const order = await driven.order();
			const moment = await driven.begin(order);
			const said = JSON.stringify([order, moment, await driven.leftovers()]);
			for (const secret of bench.secrets) assert.ok(!said.includes(secret), 'a secret is told');
		},
	},
];
