/** Figures as people read them. */
import type { BenchResult, BenchSide, BenchTargets, Spread } from '../../model/bench.ts';

/** Three digits, or all that stand before the point. */
function figure(value: number): string {
	if (value >= 100) return value.toFixed(0);
	return value.toPrecision(3);
}

export function spreadText({ median, least, most }: Spread): string {
	const [middle, low, high] = [median, least, most].map(figure);
	return low === high ? `${middle}` : `${middle} (${low} to ${high})`;
}

export function sideText(side: BenchSide | null, unit: string): string {
	return side === null ? '' : `${spreadText(side.value)} ${unit}`;
}

/** Seconds of a processor and MiB, ours and theirs. */
export function costText({ ours, theirs }: BenchResult): { cpu: string; memory: string } {
	const both = (of: (side: BenchSide) => string) => [ours, ...(theirs ? [theirs] : [])].map(of).join(', ');
	return {
		cpu: both(({ cpuSeconds }) => figure(cpuSeconds)),
		memory: both(({ peakMiB }) => (peakMiB === null ? '' : figure(peakMiB))),
	};
}

export function targetText(targets: BenchTargets | null): string {
	if (targets === null) return '';
	const sign = targets.wants === 'least' ? '≥' : '≤';
	return `${sign} ${targets.commit}, ${targets.stretch}`;
}

export function reachedText({ reached, image }: Pick<BenchResult, 'reached' | 'image'>): string {
	if (reached === null || image === 'whole') return '';
	return { stretch: 'more than wanted', commit: 'yes', no: 'no' }[reached];
}
