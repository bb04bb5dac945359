import assert from 'node:assert/strict';
import { test } from 'node:test';
import { targetPaths } from '../../hypervisors/hyperv/iscsi/definition.ts';
import { startTarget, stopTarget, targetRuns } from '../../hypervisors/hyperv/iscsi/target.ts';
import { lockHolder, signalHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { assertNothingLeft, sampleTarget, unitUrl } from '../equipment/iscsi-targets.ts';
import { killedAt } from '../equipment/killed-at-steps.ts';
import { run } from '../equipment/served-disk.ts';
import { sampleDisk, sourceOf } from '../equipment/stored-disk.ts';
import { serveVolume } from '../equipment/volumes.ts';

const MiB = 1024 * 1024;

test('`startTarget` killed at any of its steps: `stopTarget` leaves nothing, and `startTarget` makes it whole', async t => {
	const served = await serveVolume(t, [sourceOf(sampleDisk(2 * MiB, 1))]);
	const target = await sampleTarget(t, served.mover.config.nbdSocket);
	const call = { module: '../../hypervisors/hyperv/iscsi/target.ts', name: 'startTarget', args: [target] };
	let steps = 0;
	const met = { storage: false, daemon: false };
	while (await killedAt(steps + 1, call)) {
		steps += 1;
		const { storageLock, daemonLock } = targetPaths(target);
		met.storage ||= (await lockHolder(storageLock)) !== undefined;
		met.daemon ||= (await lockHolder(daemonLock)) !== undefined;
		// What somebody killed began is carried on by whoever comes next; here by turns.
		if (steps % 4 === 0) {
			await startTarget(target);
			assert.match(await run('iscsi-inq', [unitUrl(target)]), /Vendor:Rouse/, `killed at step ${steps}`);
		}
		await stopTarget(target);
		await assertNothingLeft(target);
	}
	t.diagnostic(`${steps} steps`);
	assert.deepEqual(met, { storage: true, daemon: true });
	assert.ok(await targetRuns(target));
});

test('`stopTarget` leaves nothing when tgtd, its disk or both were killed', async t => {
	const served = await serveVolume(t, [sourceOf(sampleDisk(2 * MiB, 2))]);
	const target = await sampleTarget(t, served.mover.config.nbdSocket);
	const { storageLock, daemonLock } = targetPaths(target);
	for (const killed of [[storageLock], [daemonLock], [storageLock, daemonLock]]) {
		await startTarget(target);
		for (const lock of killed) {
			await signalHolder(lock, 'SIGKILL');
			await waitFor('it to be gone', async () => (await lockHolder(lock)) === undefined, { timeoutMs: 10_000 });
		}
		await stopTarget(target);
		await assertNothingLeft(target);
	}
});
