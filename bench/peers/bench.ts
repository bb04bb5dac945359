import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchImageName, BenchResult, BenchRowName } from '../../model/bench.ts';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import type { Row } from './row.ts';
import { rows } from './rows.ts';
import { runRow } from './run-row.ts';
import { Scope } from './scope.ts';
import { type Sizes, Stock } from './stock.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const TiB = 2 ** 40;

export interface BenchOptions {
	names: readonly BenchRowName[];
	/** Small and once: for what comes out, not for the figures. */
	quick: boolean;
	/** Absent: 1 GiB, or 24 MiB of a quick one. */
	imageBytes?: number | undefined;
	pairs?: number | undefined;
	/** In which a directory is made for all that is written; it goes with the end. */
	directory: string;
	commit: string | null;
	signal: AbortSignal;
	onPair: (row: Row, done: number, of: number) => void;
	onResult: (result: BenchResult) => Promise<void>;
}

/** Of an image that does not count pairs are only half as many. */
const shareOfOthers = 0.5;

export async function bench(options: BenchOptions): Promise<BenchResult[]> {
	const { quick, signal, commit, onPair, onResult } = options;
	const pairs = options.pairs ?? (quick ? 1 : 10);
	const warmUps = quick ? 0 : 1;
	const results: BenchResult[] = [];
	await proveZstdHandles(); // as a supervisor does for its movers
	const outer = await Scope.open(await mkdtemp(join(options.directory, 'rouse-bench-')), signal);
	try {
		const stock = new Stock(outer, sizesOf(options, pairs + warmUps));
		for (const row of rows.filter(({ name }) => options.names.includes(name)))
			for (const [place, image] of imagesOf(row, quick).entries()) {
				const result = await outer.within(scope =>
					runRow(row, image, stock, scope, {
						pairs: place === 0 ? pairs : Math.ceil(pairs * shareOfOthers),
						warmUps,
						settles: !quick,
						commit,
						onPair: (done, of) => onPair(row, done, of),
					}),
				);
				results.push(result);
				await onResult(result);
			}
		return results;
	} finally {
		await outer.close();
	}
}

/** A quick run takes the one with more in it: the whole one, where there is one. */
function imagesOf({ images }: Row, quick: boolean): readonly BenchImageName[] {
	return quick ? images.slice(-1) : images;
}

function sizesOf({ quick, imageBytes }: BenchOptions, rounds: number): Sizes {
	return quick
		? {
				imageBytes: imageBytes ?? 24 * MiB,
				indexChunks: 200_000,
				readMs: 100,
				restMs: 200,
				sparseBytes: 64 * GiB,
				rounds,
			}
		: {
				imageBytes: imageBytes ?? GiB,
				indexChunks: 50_000_000,
				readMs: 3_000,
				restMs: 30_000,
				sparseBytes: 2 * TiB,
				rounds,
			};
}
