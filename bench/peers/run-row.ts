import { loadavg } from 'node:os';
import type { BenchImageName, BenchReached, BenchResult, BenchSide, BenchTargets } from '../../model/bench.ts';
import { runMeasured } from './measure.ts';
import type { Row, Taken } from './row.ts';
import type { Scope } from './scope.ts';
import { medianOf, spreadOf } from './spread.ts';
import type { Stock } from './stock.ts';

export interface RowOptions {
	pairs: number;
	/** Runs before that are not counted: they fill caches. */
	warmUps: number;
	commit: string | null;
	/** Each run begins with nothing left to be written. */
	settles: boolean;
	/** Told of each pair that is done. */
	onPair: (done: number, of: number) => void;
}

/** Ours and theirs in turn, so that whatever else the machine does meets both. */
export async function runRow(
	row: Row,
	imageName: BenchImageName,
	stock: Stock,
	scope: Scope,
	{ pairs: wanted, warmUps: wantedWarmUps, settles, commit, onPair }: RowOptions,
): Promise<BenchResult> {
	const pairs = row.once === true ? 1 : wanted;
	const warmUps = row.once === true ? 0 : wantedWarmUps;
	const { sizeBytes } = await stock.image(imageName);
	const sides = await row.prepare(stock, imageName, scope);
	const ours: Taken[] = [];
	const theirs: Taken[] = [];
	const takes = [
		async (pair: number) => ours.push(await sides.ours(pair)),
		...(sides.theirs === undefined ? [] : [sidesOf(sides.theirs, theirs)]),
	];
	const before = loadavg()[0] ?? 0;
	for (let pair = 0; pair < pairs + warmUps; pair += 1) {
		// Who is first takes turns as well.
		for (const take of pair % 2 === 0 ? takes : takes.toReversed()) {
			if (settles) await settle(scope);
			await take(pair);
		}
		onPair(pair + 1, pairs + warmUps);
	}
	const counted = { ours: ours.slice(warmUps), theirs: theirs.slice(warmUps) };
	const ratio = ratioOf(row, counted);
	const value = spreadOf(counted.ours.map(taken => taken.value));
	const { name, title, peer, unit, targets } = row;
	return {
		row: name,
		image: imageName,
		title,
		peer,
		unit,
		pairs,
		ours: sideOf(counted.ours),
		theirs: counted.theirs.length === 0 ? null : sideOf(counted.theirs),
		ratio,
		targets,
		reached: targets && reachedBy(targets, targets.of === 'value' ? value.median : (ratio?.median ?? Number.NaN)),
		imageBytes: sizeBytes,
		measuredAt: new Date().toISOString(),
		commit,
		load: [before, loadavg()[0] ?? 0],
	};
}

function sidesOf(side: (pair: number) => Promise<Taken>, into: Taken[]) {
	return async (pair: number) => into.push(await side(pair));
}

/** What the run before has left to be written is not the next one's. */
async function settle({ signal }: Scope): Promise<void> {
	await runMeasured(['sync'], { signal, lookMs: 10_000 });
}

function sideOf(taken: readonly Taken[]): BenchSide {
	const peaks = taken.map(({ peakMiB }) => peakMiB).filter(peak => peak !== null);
	return {
		value: spreadOf(taken.map(({ value }) => value)),
		cpuSeconds: medianOf(taken.map(({ cpuSeconds }) => cpuSeconds)),
		peakMiB: peaks.length === 0 ? null : medianOf(peaks),
	};
}

/** Of each pair by itself: what disturbs a pair disturbs both sides of it. */
function ratioOf({ ratio }: Row, { ours, theirs }: { ours: readonly Taken[]; theirs: readonly Taken[] }) {
	const ratios = theirs.map((their, pair) => {
		const our = ours[pair]?.value ?? Number.NaN;
		return ratio === 'theirs/ours' ? their.value / our : our / their.value;
	});
	return ratios.length === 0 ? null : spreadOf(ratios);
}

export function reachedBy({ wants, commit, stretch }: BenchTargets, found: number): BenchReached {
	const reaches = (target: number) => (wants === 'least' ? found >= target : found <= target);
	if (reaches(stretch)) return 'stretch';
	return reaches(commit) ? 'commit' : 'no';
}
