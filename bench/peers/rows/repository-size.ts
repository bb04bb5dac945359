import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cost } from '../measure.ts';
import { ratioWants, type Row, type Taken } from '../row.ts';
import { expectSame } from '../stock.ts';
import { sha256Stored } from '../stored-disk.ts';

/** An image and that of a day later, each in a repository of its own. */
export const repositorySize: Row = {
	name: 'repository-size',
	title: 'size of a repository with two versions',
	peer: 'restic',
	unit: 'MiB',
	ratio: 'ours/theirs',
	targets: ratioWants('most', 0.9, 0.85),
	images: ['dense'],
	once: true,
	tools: ['restic'],
	async prepare(stock, name, outer) {
		const first = await stock.image(name);
		const second = await stock.changed();
		return {
			ours: async () =>
				await outer.within(async scope => {
					const repository = await stock.newRepository(scope);
					const costs = [await stock.importInto(first.path, repository, scope)];
					costs.push(await stock.importInto(second.path, repository, scope));
					const value = await sizeMiB(repository);
					expectSame('the second version', await sha256Stored(repository), second.sha256);
					return taken(value, costs);
				}),
			theirs: async () =>
				await outer.within(async scope => {
					const restic = await stock.newRestic(scope);
					const costs = [await restic.backup(first.path), await restic.backup(second.path)];
					const value = await sizeMiB(restic.repository);
					expectSame("restic's second version", await restic.sha256Of(second.path), second.sha256);
					return taken(value, costs);
				}),
		};
	},
};

function taken(value: number, costs: readonly Cost[]): Taken {
	const cpuSeconds = costs.reduce((sum, cost) => sum + cost.cpuSeconds, 0);
	return { value, cpuSeconds, peakMiB: Math.max(...costs.map(({ peakMiB }) => peakMiB)) };
}

/** Of all files, in bytes that they have, not in blocks that they take. */
async function sizeMiB(directory: string): Promise<number> {
	const entries = await readdir(directory, { recursive: true, withFileTypes: true });
	let bytes = 0;
	for (const entry of entries) if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
	return bytes / 2 ** 20;
}
