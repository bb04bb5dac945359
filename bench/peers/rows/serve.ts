import type { BenchRowName, BenchTargets } from '../../../model/bench.ts';
import { serveFromRepository } from '../own.ts';
import { ratioWants, type Row } from '../row.ts';
import { byFio, byPass, expectBothServe, type Served } from '../served-pair.ts';
import { startQemuNbd } from '../servers.ts';
import type { Scope } from '../scope.ts';
import type { Stock } from '../stock.ts';
import type { BenchImageName } from '../../../model/bench.ts';

async function bothServed(stock: Stock, image: BenchImageName, scope: Scope): Promise<readonly [Served, Served]> {
	const { repository } = await stock.stored(image);
	const ours = { server: await serveFromRepository(scope, repository) };
	const theirs = { server: await startQemuNbd(scope, await stock.qcow2(image)) };
	await expectBothServe(ours, theirs, (await stock.image(image)).sha256, scope.signal);
	return [ours, theirs];
}

const peer = 'qemu-nbd of a zstd qcow2';

function random(name: BenchRowName, depth: number, targets: BenchTargets): Row {
	return {
		name,
		title: `nbd serve from the repository, 4 KiB, depth ${depth}`,
		peer,
		unit: 'reads/s',
		ratio: 'ours/theirs',
		targets,
		images: ['dense'],
		tools: ['qemu-nbd', 'qemu-img', 'fio'],
		async prepare(stock, image, scope) {
			const load = { pattern: 'randread', blockBytes: 4096, depth, ms: stock.sizes.readMs } as const;
			return byFio(scope, load, reads => reads.perSecond, await bothServed(stock, image, scope));
		},
	};
}

/** As nbdcopy reads when nothing is said. */
const usualPass = { connections: 4, requests: 64 };

export const serve: readonly Row[] = [
	random('serve-1', 1, ratioWants('least', 0.8, 1.1)),
	random('serve-16', 16, ratioWants('least', 0.9, 1.3)),
	{
		name: 'serve-pass',
		title: 'nbd serve from the repository, one full pass',
		peer,
		unit: 's',
		ratio: 'theirs/ours',
		targets: ratioWants('least', 0.95, 1.25),
		images: ['dense', 'whole'],
		tools: ['qemu-nbd', 'qemu-img', 'nbdcopy'],
		prepare: async (stock, image, scope) => byPass(scope, usualPass, await bothServed(stock, image, scope)),
	},
];
