import { rm } from 'node:fs/promises';
import { sha256Of } from '../images.ts';
import { measureServers, runMeasured } from '../measure.ts';
import { copyAll, makeTarget, RecoveryMovers } from '../own.ts';
import { ratioWants, type Row } from '../row.ts';
import { expectSame } from '../stock.ts';

/** From the order to copy until all is durable; both into a file whose space is taken before. */
export const migration: Row = {
	name: 'migration',
	title: 'full migration, durable and verified',
	peer: 'qemu-img convert of a zstd qcow2 to raw, and sync',
	unit: 's',
	ratio: 'theirs/ours',
	targets: ratioWants('least', 0.95, 1.3),
	images: ['dense', 'whole'],
	tools: ['qemu-img'],
	async prepare(stock, name, outer) {
		const image = await stock.image(name);
		const { repository, disk } = await stock.stored(name);
		const qcow2 = await stock.qcow2(name);
		return {
			ours: async () =>
				await outer.within(async scope => {
					const movers = await RecoveryMovers.in(scope);
					const target = await makeTarget(scope, disk, movers);
					const servers = [await movers.repository(repository)];
					const mover = await movers.migration([target]);
					const pids = [...servers, mover].map(({ pid }) => pid);
					const cost = await measureServers(pids, () => copyAll(mover.control, scope.signal));
					expectSame('the target', await sha256Of(target.target.path), image.sha256);
					return { ...cost, value: cost.seconds };
				}),
			theirs: async () => {
				const raw = outer.path('converted.raw');
				const convert = 'qemu-img convert -f qcow2 -O raw -o preallocation=falloc "$1" "$2" && sync "$2"';
				const cost = await runMeasured(['sh', '-c', convert, 'sh', qcow2, raw], { signal: outer.signal });
				expectSame('what qemu-img converted', await sha256Of(raw), image.sha256);
				await rm(raw);
				return { ...cost, value: cost.seconds };
			},
		};
	},
};
