/** The movers of a simulated host die with its supervisor, of which the next one finds nothing but files. */
import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { temporaryDirectory } from '../equipment/captive.ts';
import { samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

/** A recovery whose supervisor died just before the machine was started. */
async function diesAtPowerOn(t: TestContext) {
	const repository = join(await temporaryDirectory(t), 'repository');
	const stored = await storeDisk(repository, sampleDisk(1024 * 1024, 3));
	const host = await SupervisedHost.create(t);
	await writeFile(join(host.installation.home, 'config.yaml'), 'host: {kind: simulated}\n');
	await host.start({ killAt: 'power-on-scheduled' });
	const recovery = new SteppedRecovery(host, samplePlan(stored));
	await assert.rejects(recovery.run(), { code: 'supervisor_unreachable' });
	await host.ended();
	return { host, recovery, repository };
}

test('a supervisor stays although at its start all that it does waits for a repository', async t => {
	const { host, recovery, repository } = await diesAtPowerOn(t);
	await rename(repository, `${repository}.away`);
	await host.start();
	assert.equal((await recovery.view()).power, 'off');
	await rename(`${repository}.away`, repository);
	await recovery.viewed('on', ({ power }) => power === 'on');
});
