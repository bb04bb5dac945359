import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { endHolder } from '../../system/spawn-locked.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

test('a supervisor tells of the death of the one before, and not of its end in order', async t => {
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), sampleDisk(4096, 3));
	const host = await SupervisedHost.create(t);
	await host.start();
	const recovery = new SteppedRecovery(host, samplePlan(stored));
	await recovery.step('reserve', { limit: 8 });
	const kinds = async () => (await host.client.incidents(recovery.name)).map(({ kind }) => kind);

	await endHolder(host.lockPath, { politeMs: 20_000 });
	await host.start();
	assert.deepEqual(await kinds(), []);
	await host.kill();
	await host.start();
	assert.deepEqual(await kinds(), ['supervisor_died']);
});
