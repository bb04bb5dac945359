import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchRowName, BenchTargets } from '../../../model/bench.ts';
import type { DiskImage } from '../../../model/chunk.ts';
import { cpuSecondsOf, pssMiB } from '../process-tree.ts';
import { fioReads, sha256Served } from '../nbd-reads.ts';
import { copyAll, makeTarget, RecoveryMovers } from '../own.ts';
import { atMost, type Row } from '../row.ts';
import type { Scope } from '../scope.ts';
import { type Image, sha256Of } from '../images.ts';
import { expectSame, type Stock } from '../stock.ts';
import { storedDisk } from '../stored-disk.ts';

const MiB = 2 ** 20;
/** Of what the bytes are compared. */
const beginningBytes = 16 * MiB;

/** What is left in memory when a machine that has read a while reads nothing more. */
function atRest(
	name: BenchRowName,
	[title, targets]: readonly [string, BenchTargets],
	{ counted, stored }: { counted: readonly ('mount' | 'migration')[]; stored: Store },
): Row {
	return {
		name,
		title,
		peer: null,
		unit: 'MiB',
		ratio: 'ours/theirs',
		targets,
		images: ['dense'],
		tools: ['fio'],
		async prepare(stock, _image, outer) {
			const { repository, disk, beginning } = await stored(stock, outer);
			const { readMs, restMs } = stock.sizes;
			return {
				ours: async pair =>
					await outer.within(async scope => {
						const movers = await RecoveryMovers.in(scope);
						const target = await makeTarget(scope, disk, { recoveryId: movers.recoveryId, sparse: true });
						await movers.repository(repository);
						const migration = await movers.migration([target]);
						const mount = await movers.mount([target]);
						const { lengthBytes, sha256 } = beginning;
						expectSame('the beginning', await sha256Served(mount, scope.signal, lengthBytes), sha256);
						const load = { pattern: 'randread', blockBytes: 4096, depth: 16, ms: readMs, seed: pair } as const;
						await fioReads(scope, mount, load);
						if (counted.includes('migration')) await copyAll(migration.control, scope.signal);
						await delay(restMs, undefined, { signal: scope.signal });
						const pids = counted.map(kind => ({ mount, migration })[kind].pid);
						const value = await pssMiB(pids);
						return { value, cpuSeconds: await cpuSecondsOf(pids), peakMiB: null };
					}),
			};
		},
	};
}

interface Stored {
	repository: string;
	disk: DiskImage;
	/** What it begins with. */
	beginning: { lengthBytes: number; sha256: string };
}
type Store = (stock: Stock, scope: Scope) => Promise<Stored>;

const usual: Store = async stock => {
	const { path, sizeBytes } = await stock.image('dense');
	const lengthBytes = Math.min(sizeBytes, beginningBytes);
	return {
		...(await stock.stored('dense')),
		beginning: { lengthBytes, sha256: await sha256Of(path, lengthBytes) },
	};
};

const sparse: Store = async (stock, scope) => {
	const { image, beginning } = await makeSparse(await stock.image('dense'), stock.sizes.sparseBytes, scope);
	const repository = await stock.newRepository(scope);
	await stock.importInto(image, repository, scope);
	return { repository, disk: await storedDisk(repository), beginning };
};

/** The first part of an image at the beginning, and another MiB of it in each of 256 places. */
async function makeSparse({ path, sizeBytes }: Image, sparseBytes: number, scope: Scope) {
	const image = scope.path('sparse.raw');
	const lengthBytes = Math.min(sizeBytes, beginningBytes);
	const from = await open(path, 'r');
	const to = await open(image, 'wx');
	try {
		await to.truncate(sparseBytes);
		const piece = Buffer.alloc(MiB);
		const places = 256;
		for (let at = 0; at < lengthBytes; at += MiB) {
			await from.read(piece, 0, MiB, at);
			await to.write(piece, 0, MiB, at);
		}
		for (let place = 1; place < places; place += 1) {
			await from.read(piece, 0, MiB, (place * MiB) % sizeBytes);
			await to.write(piece, 0, MiB, (sparseBytes / places) * place);
		}
	} finally {
		await from.close();
		await to.close();
	}
	return { image, beginning: { lengthBytes, sha256: await sha256Of(path, lengthBytes) } };
}

export const moverMemory: readonly Row[] = [
	atRest('mover-memory', ['mount mover of a disk of 2 TiB, after reads', atMost(150, 100)], {
		counted: ['mount'],
		stored: sparse,
	}),
	atRest('recovery-memory', ['movers of a recovery at rest, after reads and the copy', atMost(120, 80)], {
		counted: ['mount', 'migration'],
		stored: usual,
	}),
];
