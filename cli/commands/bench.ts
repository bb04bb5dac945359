import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { Argument, InvalidArgumentError } from '@commander-js/extra-typings';
import { type BenchDocument, benchRowNames, benchRowsAskable, benchRowsAsked } from '../../model/bench.ts';
import { RouseError } from '../../model/errors.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseBytes } from '../terminal/parse.ts';
import { readVersion } from '../version.ts';

export const build = (context: Context) =>
	command('bench')
		.description('measure the ways of the data against programs that do the same')
		.addArgument(new Argument('[row]', 'only this one, or all that begin so').choices(benchRowsAskable()))
		.option('--quick', 'small and once: whether both sides give the same bytes; the figures say nothing')
		.option('--pairs <n>', 'runs of ours and theirs in turn (default: 10)', parsePairs)
		.option('--size <size>', 'of the image (default: 1GiB)', parseBytes)
		.option(
			'--directory <dir>',
			'where all of it is written, some 12 times that size and 3 GiB (default: TMPDIR, else /tmp)',
		)
		.option('--write', 'put the figures into docs/performance.md, each row when it is done')
		.addHelpText(
			'after',
			`\nAll rows take about an hour with 1 GiB on two processors: nothing else should run meanwhile.`,
		)
		.action(async (row, { quick = false, pairs, size, directory, write = false }) => {
			if (quick && write) throw new RouseError('usage', 'figures of a quick run are not to be written down');
			const { output, signal } = context;
			const { bench } = await import('../../bench/peers/bench.ts');
			const { machineOf } = await import('../../bench/peers/surroundings.ts');
			const { keep } = await import('../../bench/peers/keep.ts');
			const { benchText } = await import('../bench/text.ts');
			const { findPeers } = await import('../bench/peers.ts');
			const names = row === undefined ? [...benchRowNames] : benchRowsAsked(row);
			const machine = machineOf(await findPeers(names, signal));
			const progress = output.progress('measuring');
			try {
				const results = await bench({
					names,
					quick,
					pairs,
					imageBytes: size,
					directory: resolve(directory ?? tmpdir()),
					commit: readVersion().commit ?? null,
					signal,
					onPair: ({ name }, done, total) => progress.update({ done, total, unit: 'pairs', note: name }),
					onResult: async result => {
						output.message(benchText([result]));
						if (write) await keep(machine, result);
					},
				});
				const document: BenchDocument = { quick, machine, results };
				output.result(document, benchText(results, output.columns));
			} finally {
				progress.end();
			}
		});

function parsePairs(text: string): number {
	if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
	throw new InvalidArgumentError(`"${text}": write a number from 1 to 999.`);
}
