import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImportProgress } from '../../model/import-view.ts';
import { CopyProgress } from '../../sources/machine-child/copy-progress.ts';
import { ReadPace } from '../../sources/machine/read-pace.ts';
import type { DiskSource } from '../../repository/import/disk-source.ts';
import { collect } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const mib = 2 ** 20;

function unread(offsets: number[]): DiskSource {
	return {
		sizeBytes: 1000,
		extents: () => {
			throw new Error('nobody asks');
		},
		read: async offsetBytes => {
			offsets.push(offsetBytes);
		},
		close: async () => {},
	};
}

test('`CopyProgress` counts disks one after the other, tells once a second, and how long the rest takes', () => {
	let nowMs = 0;
	const pace = { readBytes: 0 };
	const told: ImportProgress[] = [];
	const progress = new CopyProgress(
		[{ sizeBytes: 6 * mib }, { sizeBytes: 4 * mib }],
		pace,
		one => told.push(one),
		() => nowMs,
	);
	const tell = (disk: number, doneBytes: number) => progress.tell({ disk, doneBytes, totalBytes: 0, newBytes: 7 });
	tell(0, 0);
	nowMs = 500;
	tell(0, mib);
	nowMs = 2_000;
	pace.readBytes = mib;
	tell(0, 4 * mib);
	nowMs = 2_001;
	tell(1, 4 * mib);
	assert.deepEqual(
		told.map(({ doneBytes, rateBytes, etaMs }) => [doneBytes / mib, rateBytes, etaMs]),
		[
			[0, 0, null],
			[4, mib / 2, 3_000],
			[10, Math.round((mib * 1000) / 2_001), 0],
		],
	);
});

test('`CopyProgress` tells the rate of one read that took longer than it looks back', () => {
	let nowMs = 0;
	const pace = { readBytes: 0 };
	const told: ImportProgress[] = [];
	const progress = new CopyProgress(
		[{ sizeBytes: 4 * mib }],
		pace,
		one => told.push(one),
		() => nowMs,
	);
	for (const minute of [0, 1, 2]) {
		nowMs = minute * 60_000;
		pace.readBytes = minute * mib;
		progress.tell({ disk: 0, doneBytes: minute * mib, totalBytes: 0, newBytes: 0 });
	}
	const { rateBytes, etaMs } = told.at(-1) ?? {};
	assert.deepEqual([rateBytes, etaMs], [Math.round(mib / 60), 120_000]);
});

test('`ReadPace` slows reads to what was said, in their order, and counts them', async () => {
	const offsets: number[] = [];
	const pace = new ReadPace(10_000);
	const slow = pace.of(unread(offsets));
	const from = performance.now();
	await Promise.all([0, 500, 900].map(offset => slow.read(offset, Buffer.alloc(500), signal)));
	assert.deepEqual([offsets, pace.readBytes], [[0, 500, 900], 1500]);
	assert.ok(performance.now() - from >= 95, 'the third one waits for two to be paid for');
});

test('`ReadPace` says that it waits, however long, and waits no shorter for that', async () => {
	let waits = 0;
	const pace = new ReadPace(10_000, { onWait: () => (waits += 1), toldEveryMs: 10 });
	const source = pace.of(unread([]));
	const from = performance.now();
	await source.read(0, Buffer.alloc(1000), signal);
	assert.equal(waits, 0);
	await source.read(0, Buffer.alloc(1), signal);
	assert.ok(waits > 0 && performance.now() - from >= 95);
});

test('`ReadPace` tells now and then that a source lists, whether it has come to an extent or not', async () => {
	let waits = 0;
	const pace = new ReadPace(null, { onWait: () => (waits += 1), toldEveryMs: 0 });
	const source = pace.of({
		...unread([]),
		async *extents(_signal, onListed) {
			onListed?.();
			assert.equal(waits, 1);
			yield { offsetBytes: 0, lengthBytes: 500, kind: 'unchanged' };
			yield { offsetBytes: 500, lengthBytes: 500, kind: 'unchanged' };
		},
	});
	assert.equal((await collect(source.extents(signal))).length, 2);
	assert.equal(waits, 3);
});
