import { RouseError } from '../../../model/errors.ts';
import type { BenchRowName, BenchTargets, BenchUnit } from '../../../model/bench.ts';
import type { IndexRound } from '../index-rounds.ts';
import { atMost, type Row } from '../row.ts';

/** What an import asks of the index of a large repository, without the import: opening and 200,000 lookups. */
function ofIndex(
	name: BenchRowName,
	[title, unit]: readonly [string, BenchUnit],
	valueOf: (round: IndexRound) => number,
	targets: BenchTargets,
): Row {
	return {
		name,
		title: `import into 50 million chunks, the index: ${title}`,
		peer: null,
		unit,
		ratio: 'ours/theirs',
		targets,
		images: ['dense'],
		tools: [],
		async prepare(stock) {
			const rounds = await stock.indexRounds();
			return {
				ours: async pair => {
					const round = rounds[pair % rounds.length];
					if (round === undefined) throw new RouseError('internal', 'the index was not measured');
					return { ...round, value: valueOf(round) };
				},
			};
		},
	};
}

export const importIndex: readonly Row[] = [
	ofIndex('index-time', ['time', 's'], ({ seconds }) => seconds, atMost(5, 2)),
	ofIndex('index-memory', ['peak memory', 'MiB'], ({ peakMiB }) => peakMiB, atMost(200, 150)),
];
