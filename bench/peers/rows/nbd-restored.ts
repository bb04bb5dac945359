import type { BenchRowName, BenchTargets } from '../../../model/bench.ts';
import type { Load } from '../nbd-reads.ts';
import { RecoveryMovers } from '../own.ts';
import { ratioWants, type Row } from '../row.ts';
import { byFio, expectBothServe } from '../served-pair.ts';
import { startNbdkit } from '../servers.ts';

const MiB = 2 ** 20;

/** A mount mover whose disk is wholly restored; nbdkit serves the very same file. */
function restored(
	name: BenchRowName,
	title: string,
	{ pattern, blockBytes, depth }: Pick<Load, 'pattern' | 'blockBytes' | 'depth'>,
	targets: BenchTargets,
): Row {
	return {
		name,
		title: `NBD, restored blocks, ${title}`,
		peer: 'nbdkit file',
		unit: pattern === 'read' ? 'MiB/s' : 'reads/s',
		ratio: 'ours/theirs',
		targets,
		images: ['dense'],
		tools: ['nbdkit', 'fio'],
		async prepare(stock, image, scope) {
			const { repository } = await stock.stored(image);
			const { recoveryId, disk } = await stock.restored();
			const movers = await RecoveryMovers.in(scope, recoveryId);
			await movers.repository(repository); // a mount mover has one, though it has nothing to ask it for
			const ours = { server: await movers.mount([disk]) };
			const theirs = { server: await startNbdkit(scope, disk.target.path) };
			await expectBothServe(ours, theirs, (await stock.image(image)).sha256, scope.signal);
			const load = { pattern, blockBytes, depth, ms: stock.sizes.readMs };
			return byFio(scope, load, reads => (pattern === 'read' ? reads.bytesPerSecond / MiB : reads.perSecond), [
				ours,
				theirs,
			]);
		},
	};
}

const random = { pattern: 'randread', blockBytes: 4096 } as const;
const inOrder = { pattern: 'read', blockBytes: MiB, depth: 4 } as const;

export const nbdRestored: readonly Row[] = [
	restored('nbd-restored-1', '4 KiB, depth 1', { ...random, depth: 1 }, ratioWants('least', 0.95, 1.1)),
	restored('nbd-restored-16', '4 KiB, depth 16', { ...random, depth: 16 }, ratioWants('least', 1, 1.3)),
	restored('nbd-restored-sequential', '1 MiB in order, depth 4', inOrder, ratioWants('least', 0.8, 0.95)),
];
