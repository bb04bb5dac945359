import { join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { runMeasured } from './measure.ts';
import type { Scope } from './scope.ts';

const lookupsSchema = z.object({ ms: z.number(), cpuMs: z.number() });
const knownSchema = lookupsSchema.extend({ known: z.int() });
/** What `bench/import-index/main.ts` prints of each round. */
const roundSchema = z.object({
	measured: z.object({ opened: lookupsSchema, fresh: knownSchema, known: knownSchema }),
	peakPssMiB: z.number(),
});

export interface IndexRound {
	seconds: number;
	cpuSeconds: number;
	peakMiB: number;
}

/** Of an import's 200,000 lookups half are of chunks that the repository has, and half of new ones. */
export async function indexRounds(
	scope: Scope,
	{ chunks, rounds }: { chunks: number; rounds: number },
): Promise<IndexRound[]> {
	const main = join(checkoutDirectory, 'bench', 'import-index', 'main.ts');
	const { stdout } = await runMeasured([process.execPath, main, String(chunks), '1000', String(rounds)], {
		signal: scope.signal,
		env: { ...process.env, ROUSE_BENCH_DIRECTORY: scope.directory },
		lookMs: 10_000,
	});
	const lines = stdout.trimEnd().split('\n').slice(1); // the first one is how long the indexes took to make
	return lines.map(line => {
		const { measured, peakPssMiB } = roundSchema.parse(JSON.parse(line));
		const { opened, fresh, known } = measured;
		if (fresh.known !== 0 || known.known !== 100_000)
			throw new RouseError('internal', `the index knows ${fresh.known} new chunks and ${known.known} of 100000`);
		const sum = (of: 'ms' | 'cpuMs') => (opened[of] + fresh[of] + known[of]) / 1000;
		return { seconds: sum('ms'), cpuSeconds: sum('cpuMs'), peakMiB: peakPssMiB };
	});
}
