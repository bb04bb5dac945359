import { makeTarget, RecoveryMovers } from '../own.ts';
import { ratioWants, type Row } from '../row.ts';
import { byPass, expectBothServe } from '../served-pair.ts';
import { startQemuNbd } from '../servers.ts';

/** QEMU has one connection to a disk, and 16 requests on it. */
const asGuest = { connections: 1, requests: 16 };

/** Nothing is restored, and no migration mover takes what is fetched. */
export const guestPass: Row = {
	name: 'guest-pass',
	title: 'repository mover and mount mover, one full pass as a guest reads',
	peer: 'qemu-nbd of a zstd qcow2',
	unit: 's',
	ratio: 'theirs/ours',
	targets: ratioWants('least', 0.6, 0.9),
	images: ['dense', 'whole'],
	tools: ['qemu-nbd', 'qemu-img', 'nbdcopy'],
	async prepare(stock, image, scope) {
		const { repository, disk } = await stock.stored(image);
		const movers = await RecoveryMovers.in(scope);
		const target = await makeTarget(scope, disk, { recoveryId: movers.recoveryId, sparse: true });
		const others = [await movers.repository(repository)];
		const ours = { server: await movers.mount([target]), others };
		const theirs = { server: await startQemuNbd(scope, await stock.qcow2(image)) };
		await expectBothServe(ours, theirs, (await stock.image(image)).sha256, scope.signal);
		return byPass(scope, asGuest, [ours, theirs]);
	},
};
