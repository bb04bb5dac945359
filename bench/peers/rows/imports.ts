import type { Cost, RunOptions } from '../measure.ts';
import { Restic } from '../restic.ts';
import { atMost, ratioWants, type Row, type Sides, type Taken } from '../row.ts';
import type { Scope } from '../scope.ts';
import type { Image } from '../images.ts';
import { sha256Stored } from '../stored-disk.ts';
import { copyOf, expectSame, type Stock } from '../stock.ts';

const usual = {
	peer: 'restic backup',
	tools: ['restic'],
} as const;

export const importFirst: Row = {
	...usual,
	name: 'import-first',
	title: 'import, the first of a machine',
	unit: 's',
	ratio: 'theirs/ours',
	targets: ratioWants('least', 2.2, 3),
	images: ['dense', 'whole'],
	prepare: async (stock, name, scope) => firstImports(stock, await stock.image(name), scope, bySeconds),
};

export const importMemory: Row = {
	...usual,
	name: 'import-memory',
	title: 'peak memory of an import',
	unit: 'MiB',
	ratio: 'ours/theirs',
	targets: atMost(160, 120),
	images: ['dense', 'whole'],
	prepare: async (stock, name, scope) => firstImports(stock, await stock.image(name), scope, byMemory, { lookMs: 20 }),
};

/** Into copies of what the first one has left. */
export const importSecond: Row = {
	...usual,
	name: 'import-second',
	title: 'import, a day later',
	unit: 's',
	ratio: 'theirs/ours',
	targets: ratioWants('least', 3.5, 6),
	images: ['dense'],
	async prepare(stock, name, outer) {
		const { path, sha256 } = await stock.changed();
		const { repository } = await stock.stored(name);
		const restic = await stock.restic(name);
		return {
			ours: async pair =>
				await outer.within(async scope => {
					const copy = await copyOf(repository, scope);
					const cost = await stock.importInto(path, copy, scope);
					if (pair === 0) expectSame('the second import', await sha256Stored(copy), sha256);
					return bySeconds(cost);
				}),
			theirs: async pair =>
				await outer.within(async scope => {
					const copy = new Restic(scope, await copyOf(restic.directory, scope));
					const cost = await copy.backup(path);
					if (pair === 0) expectSame('the second backup of restic', await copy.sha256Of(path), sha256);
					return bySeconds(cost);
				}),
		};
	},
};

/** Each into a repository that is new. */
function firstImports(
	stock: Stock,
	{ path, sha256 }: Image,
	outer: Scope,
	takenOf: (cost: Cost) => Taken,
	options: Partial<RunOptions> = {},
): Sides {
	return {
		ours: async (pair: number) =>
			await outer.within(async scope => {
				const repository = await stock.newRepository(scope);
				const cost = await stock.importInto(path, repository, scope, options);
				if (pair === 0) expectSame('the import', await sha256Stored(repository), sha256);
				return takenOf(cost);
			}),
		theirs: async (pair: number) =>
			await outer.within(async scope => {
				const restic = await stock.newRestic(scope);
				const cost = await restic.backup(path, options);
				if (pair === 0) expectSame('the backup of restic', await restic.sha256Of(path), sha256);
				return takenOf(cost);
			}),
	};
}

function bySeconds(cost: Cost): Taken {
	return { ...cost, value: cost.seconds };
}

function byMemory(cost: Cost): Taken {
	return { ...cost, value: cost.peakMiB };
}
