import { join } from 'node:path';
import { sha256Of } from '../images.ts';
import { runMeasured } from '../measure.ts';
import { rouse, rouseEnvironment } from '../own.ts';
import { ratioWants, type Row } from '../row.ts';
import { expectSame } from '../stock.ts';
import { machine } from '../stored-disk.ts';

/** What ours has written is durable; what restic has written is not yet, and its time does not have that in it. */
export const exportRow: Row = {
	name: 'export',
	title: 'export as a raw file',
	peer: 'restic restore',
	unit: 's',
	ratio: 'theirs/ours',
	targets: ratioWants('least', 3.5, 5),
	images: ['dense', 'whole'],
	tools: ['restic'],
	async prepare(stock, name, outer) {
		const image = await stock.image(name);
		const { repository } = await stock.stored(name);
		const restic = await stock.restic(name);
		return {
			ours: async () =>
				await outer.within(async scope => {
					const to = scope.path('exported.raw');
					const argv = rouse('backup', 'export', `${machine}@latest`, '--to', to, '--repo', repository);
					const cost = await runMeasured(argv, { signal: scope.signal, env: rouseEnvironment(scope) });
					expectSame('the export', await sha256Of(to), image.sha256);
					return { ...cost, value: cost.seconds };
				}),
			theirs: async () =>
				await outer.within(async scope => {
					const cost = await restic.restore(scope.directory);
					expectSame('what restic restored', await sha256Of(join(scope.directory, image.path)), image.sha256);
					return { ...cost, value: cost.seconds };
				}),
		};
	},
};
