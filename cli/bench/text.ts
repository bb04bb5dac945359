import { costText, reachedText, sideText, spreadText, targetText } from '../../bench/peers/cells.ts';
import type { BenchResult } from '../../model/bench.ts';
import { formatTable } from '../terminal/format.ts';

const header = ['row', 'image', 'ours', 'peer', 'ratio', 'wanted', 'reached', 'processor s', 'peak MiB', 'pairs'];

/** Of ours and the peer, in this order, where a cell has two. */
export function benchText(results: readonly BenchResult[], columns?: number): string {
	return formatTable(header, results.map(lineOf), columns);
}

function lineOf(result: BenchResult): string[] {
	const { cpu, memory } = costText(result);
	return [
		result.row,
		result.image,
		sideText(result.ours, result.unit),
		sideText(result.theirs, result.unit),
		result.ratio === null ? '' : spreadText(result.ratio),
		result.image === 'whole' ? '' : targetText(result.targets),
		reachedText(result),
		cpu,
		memory,
		String(result.pairs),
	];
}
