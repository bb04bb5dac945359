import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { pagePath, readKept } from '../../bench/peers/keep.ts';
import { marks, pageWith, partOf } from '../../bench/peers/page.ts';
import { rows } from '../../bench/peers/rows.ts';
import { reachedBy } from '../../bench/peers/run-row.ts';
import { spreadOf } from '../../bench/peers/spread.ts';
import { expectSame } from '../../bench/peers/stock.ts';
import {
	benchMachineSchema,
	type BenchResult,
	benchRowNames,
	benchRowsAskable,
	benchRowsAsked,
} from '../../model/bench.ts';

const result: BenchResult = {
	row: 'migration',
	image: 'dense',
	title: 'full migration',
	peer: 'qemu-img convert',
	unit: 's',
	pairs: 3,
	ours: { value: { median: 2, least: 1.9, most: 2.5 }, cpuSeconds: 3.25, peakMiB: 180.4 },
	theirs: { value: { median: 2.2, least: 2.1, most: 2.4 }, cpuSeconds: 3, peakMiB: null },
	ratio: { median: 1.1, least: 0.9, most: 1.2 },
	targets: { of: 'ratio', wants: 'least', commit: 0.95, stretch: 1.3 },
	reached: 'commit',
	imageBytes: 2 ** 30,
	measuredAt: '2026-11-20T03:00:00.000Z',
	commit: '0123456',
	load: [0.11, 1.9],
};
const machine = benchMachineSchema.parse({
	processor: 'a processor',
	cores: 2,
	memoryBytes: 2 ** 34,
	kernel: '6.1',
	node: '24.0.0',
	peers: { restic: '0.14.0' },
});

describe('docs/performance.md', () => {
	it('is what `rouse bench --write` makes of what is kept', async () => {
		const { figures, held } = await readKept();
		const page = await readFile(pagePath, 'utf8');
		assert.equal(pageWith(page, partOf(figures, held)), page, 'node tools/write-performance.ts writes it anew');
	});

	it('has a line for each row and image, with its target, date, commit and load', () => {
		const whole: BenchResult = { ...result, image: 'whole', reached: 'no' };
		const held = { migration: { floor: 'the disk', held: 'a | b' } };
		const lines = partOf({ machine, results: [whole, result] }, held).split('\n');
		assert.equal(lines[0], 'a processor, 2 processors, 16.0 GiB, Linux 6.1, Node 24.0.0; restic 0.14.0.');
		const of = (start: string) => lines.filter(line => line.startsWith(`| \`migration\`${start}`));
		assert.deepEqual(of(' | dense'), [
			'| `migration` | dense, 1.00 GiB | 2.00 (1.90 to 2.50) s | 2.20 (2.10 to 2.40) s | 1.10 (0.900 to 1.20) | ≥ 0.95, 1.3 | yes | 3.25, 3.00 | 180,  | 3 |',
		]);
		// The targets are of the image without zeros.
		assert.match(of(' | whole').join(), /\| 1\.10 \(0\.900 to 1\.20\) \| {2}\| {2}\| 3\.25/);
		assert.match(of(', dense').join(), /full migration \| qemu-img convert \| 2026-11-20 \| 0123456 \| 0\.1, 1\.9/);
		assert.deepEqual(of(' | the'), ['| `migration` | the disk | a \\| b |']);
	});

	it('without its marks is not written', () => {
		assert.equal(pageWith('# Performance', 'new'), undefined);
		assert.equal(pageWith(`a ${marks.begin} old ${marks.end} z`, 'new'), `a ${marks.begin}\n\nnew\n${marks.end} z`);
	});
});

describe('rows of bench', () => {
	it('are those that may be asked for, each once and in their order', () => {
		assert.deepEqual(
			rows.map(({ name }) => name),
			[...benchRowNames],
		);
	});

	it('are asked for by a name, or by a beginning that several have', () => {
		assert.deepEqual(benchRowsAsked('import'), ['import-first', 'import-second', 'import-memory']);
		assert.deepEqual(benchRowsAsked('serve-1'), ['serve-1']);
		const shared = benchRowsAskable().slice(benchRowNames.length);
		assert.deepEqual(shared, ['import', 'nbd', 'nbd-restored', 'serve', 'guest', 'guest-p99', 'index']);
	});

	it('reach a target from above or from below', () => {
		const least = { of: 'ratio', wants: 'least', commit: 0.95, stretch: 1.3 } as const;
		const most = { of: 'value', wants: 'most', commit: 160, stretch: 120 } as const;
		assert.deepEqual(
			[0.94, 0.95, 1.3].map(found => reachedBy(least, found)),
			['no', 'commit', 'stretch'],
		);
		assert.deepEqual(
			[161, 160, 120].map(found => reachedBy(most, found)),
			['no', 'commit', 'stretch'],
		);
		assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, least: 1, most: 4 });
	});

	it('fail when what came out is not the image', () => {
		assert.throws(() => expectSame('the export', 'ab', 'cd'), {
			message: /the export differs from the image: .*ab, not cd/,
		});
	});
});
