import type { BenchRowName } from '../../../model/bench.ts';
import { measureServers } from '../measure.ts';
import { fioReads, sha256Served } from '../nbd-reads.ts';
import { copyAll, makeTarget, RecoveryMovers } from '../own.ts';
import { ratioWants, type Row, type Taken } from '../row.ts';
import type { Scope } from '../scope.ts';
import { expectSame, type Stock } from '../stock.ts';

/** Of a machine: the first one is restored; the others have nothing yet, and are copied in their order. */
const copied = ['disk1', 'disk2'] as const;
/** Reads end before the copy does, which they only make longer: it takes fio a moment to begin. */
const shareOfCopy = 0.7;
const fioBeginsMs = 400;
const leastReadMs = 200;

interface Reading {
	exportName: string;
	ms: number;
	copies: boolean;
	pair: number;
}

function guestReads(name: BenchRowName, title: string, exportName: string): Row {
	return {
		name,
		title: `a guest's reads of 4 KiB during the migration, 99 of 100 within, ${title}`,
		peer: 'the same while nothing is copied',
		unit: 'us',
		ratio: 'ours/theirs',
		targets: ratioWants('most', 2, 1.3),
		images: ['dense'],
		tools: ['fio'],
		async prepare(stock, _image, outer) {
			const ms = await readMs(outer, stock);
			const run = (copies: boolean) => async (pair: number) =>
				await outer.within(scope => readDuring(scope, stock, { exportName, ms, copies, pair }));
			return { ours: run(true), theirs: run(false) };
		},
	};
}

/** How long is read: a part of what the copy takes when nobody reads. */
async function readMs(outer: Scope, stock: Stock): Promise<number> {
	if (stock.sizes.readMs <= leastReadMs) return stock.sizes.readMs; // a quick run
	const { seconds } = await outer.within(scope => readDuring(scope, stock, undefined));
	return Math.round(Math.max(leastReadMs, seconds * 1000 * shareOfCopy - fioBeginsMs));
}

/** Without reads it tells how long the copy takes. */
async function readDuring(
	scope: Scope,
	stock: Stock,
	reading: Reading | undefined,
): Promise<Taken & { seconds: number }> {
	const { repository, disk: image } = await stock.stored('dense');
	const { recoveryId, disk: disk0 } = await stock.restored();
	const movers = await RecoveryMovers.in(scope, recoveryId);
	const disks = [disk0];
	for (const name of copied) disks.push(await makeTarget(scope, image, { recoveryId, name }));
	const servers = [await movers.repository(repository)];
	const migration = await movers.migration(disks);
	const mount = await movers.mount(disks);
	const read = async () => {
		if (reading === undefined) return 0;
		const { exportName, ms, pair } = reading;
		const load = { pattern: 'randread', blockBytes: 4096, depth: 1, ms, seed: pair } as const;
		return (await fioReads(scope, { ...mount, exportName }, load)).p99Us;
	};
	const copies = reading?.copies ?? true;
	const pids = [...servers, migration, mount].map(({ pid }) => pid);
	const cost = await measureServers(pids, async () => {
		const copying = copies ? copyAll(migration.control, scope.signal) : undefined;
		const [p99] = await Promise.all([read(), copying]);
		return p99;
	});
	const { sha256 } = await stock.image('dense');
	for (const name of copies && reading?.pair === 0 ? copied : [])
		expectSame(
			`${name}, copied meanwhile`,
			await sha256Served({ ...mount, exportName: `${name}-now` }, scope.signal),
			sha256,
		);
	return { ...cost, value: cost.result };
}

export const guestP99: readonly Row[] = [
	guestReads('guest-p99-restored', 'restored blocks', 'disk0-wait'),
	guestReads('guest-p99-others', 'blocks that are not', `${copied[1]}-wait`),
];
