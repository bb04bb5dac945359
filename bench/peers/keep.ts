import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchMachine, BenchResult } from '../../model/bench.ts';
import { RouseError } from '../../model/errors.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { replaceFileDurably } from '../../system/durable-file.ts';
import { type Held, heldSchema, type KeptFigures, keptFiguresSchema, marks, pageWith, partOf } from './page.ts';

const kept = join(checkoutDirectory, 'bench', 'peers', 'kept');
const figuresPath = join(kept, 'figures.json');
const heldPath = join(kept, 'held.json');
export const pagePath = join(checkoutDirectory, 'docs', 'performance.md');

export async function readKept(): Promise<{ figures: KeptFigures; held: Held }> {
	return {
		figures: keptFiguresSchema.parse(JSON.parse(await readFile(figuresPath, 'utf8'))),
		held: heldSchema.parse(JSON.parse(await readFile(heldPath, 'utf8'))),
	};
}

/** In the place of what the same row and image had before; then the page is made anew. */
export async function keep(machine: BenchMachine, result: BenchResult): Promise<void> {
	const { figures } = await readKept();
	// One row alone knows only its own peers.
	const peers = { ...figures.machine?.peers, ...machine.peers };
	const others = figures.results.filter(({ row, image }) => row !== result.row || image !== result.image);
	const now: KeptFigures = { machine: { ...machine, peers }, results: [...others, result] };
	await replaceFileDurably(figuresPath, `${JSON.stringify(now, null, '\t')}\n`);
	await writePage();
}

/** Of what is kept, without measuring anything. */
export async function writePage(): Promise<void> {
	const { figures, held } = await readKept();
	const page = pageWith(await readFile(pagePath, 'utf8'), partOf(figures, held));
	if (page === undefined)
		throw new RouseError('internal', `${pagePath} lacks its marks: ${marks.begin} and ${marks.end}`);
	await replaceFileDurably(pagePath, page);
}
