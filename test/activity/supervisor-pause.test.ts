/** A copy that was paused, with real processes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { MigrationMoverControl } from '../../movers/client.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { fileMustHold, samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

test('a pause outlasts the deaths of its supervisor and its mover, and what is copied afterwards is right', async t => {
	const bytes = sampleDisk(1024 * 1024 + 100, 3);
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), bytes);
	const host = await SupervisedHost.create(t);
	await host.start({ killAt: 'copy-paused' });
	const recovery = new SteppedRecovery(host, samplePlan(stored));
	await recovery.run({ on: false });
	const { migrationSocket } = recoveryPlaces(host.installation, recovery.name, recovery.recoveryId);
	const mover = new MigrationMoverControl(migrationSocket);
	await recovery.step('migrate-chunks', { maxRateBytes: 1024 }); // a quarter of an hour
	const { movers } = await recovery.viewed('copying', ({ copying }) => copying);

	await assert.rejects(recovery.step('pause-migration', {}), { code: 'supervisor_unreachable' });
	await host.ended();
	assert.equal((await mover.state()).copying, true, 'nobody has told it');
	await host.start();
	await recovery.step('pause-migration', {}, { again: true });
	assert.equal((await mover.state()).copying, false);

	const pid = movers.find(({ kind }) => kind === 'migration')?.pid;
	assert.ok(pid);
	process.kill(pid, 'SIGKILL');
	await recovery.viewed('another mover', view =>
		view.movers.some(({ kind, pid: now }) => kind === 'migration' && now !== null && now !== pid),
	);
	// Looks at the mover as every look does: one that was to copy would be told here.
	for (let answered = false; !answered; )
		answered = await recovery.step('pause-migration', {}, { again: true }).then(
			() => true,
			() => false,
		);
	const { copying, writtenBytes } = await mover.state();
	assert.deepEqual({ copying, writtenBytes }, { copying: false, writtenBytes: 0 });

	await recovery.restore();
	await fileMustHold(recovery.target(), bytes);
});
