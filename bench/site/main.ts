/**
 * A whole site comes back on one simulated host, for several sizes of site and kinds of database:
 *
 *   node bench/site/main.ts [--sizes 10,100,1000] [--temporal embedded,postgres] [--results site.json]
 *
 * Prints a table. What was measured is kept in the file at once, and what is in it is not measured again: it can be ended at
 * any time and goes on with the same command. With --results - nothing is kept.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { isErrno } from '../../system/durable-file.ts';
import { type Result, resultSchema } from './figures.ts';
import { measure } from './run.ts';
import { tableOf } from './table.ts';

/** What config.yaml says of Temporal. */
const databases: Record<Result['temporal'], string> = { embedded: '{}', postgres: '{database: postgres}' };

const { values } = parseArgs({
	options: {
		sizes: { type: 'string', default: '10,100,1000' },
		temporal: { type: 'string', default: 'embedded' },
		results: { type: 'string', default: 'site.json' },
	},
});
const sizes = z.array(z.coerce.number<string>().int().min(1).max(2_000)).parse(values.sizes.split(','));
const wanted = z.array(resultSchema.shape.temporal).parse(values.temporal.split(','));

/** What runs is taken down before we end. */
const end = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => end.abort(new Error(`ended by ${name}`)));

/** Something hangs, on however busy a machine. */
const limitMs = (size: number) => 120_000 + size * 6_000;

const results = await kept();
for (const temporal of wanted)
	for (const size of sizes) {
		if (results.some(known => known.temporal === temporal && known.size === size)) continue;
		const [before = 0] = loadavg();
		const figures = await measure({ size, temporal: databases[temporal], limitMs: limitMs(size), signal: end.signal });
		const [after = 0] = loadavg();
		const at = new Date().toISOString();
		results.push({ temporal, size, at, load: [before, after], processors: availableParallelism(), figures });
		await keep();
	}
console.log(tableOf(results));

async function kept(): Promise<Result[]> {
	if (values.results === '-') return [];
	try {
		return z.array(resultSchema).parse(JSON.parse(await readFile(values.results, 'utf8')));
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return [];
		throw error;
	}
}

async function keep(): Promise<void> {
	if (values.results === '-') return;
	await writeFile(`${values.results}.new`, `${JSON.stringify(results, undefined, '\t')}\n`);
	await rename(`${values.results}.new`, values.results);
}
