/** The movers of a simulated host die with its supervisor, of which the next one finds nothing but files. */
import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { rouse } from '../equipment/command-line.ts';
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

test('`rouse host show`, `stop` and `start` of a recovery that is not finished need the supervisor alone', async t => {
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), sampleDisk(1024 * 1024, 3));
	const host = await SupervisedHost.create(t);
	await writeFile(join(host.installation.home, 'config.yaml'), 'host: {kind: simulated}\n');
	await host.start();
	const recovery = new SteppedRecovery(host, samplePlan(stored));
	await recovery.run();
	const said = async (...args: string[]) => {
		const { exitCode, stdout, stderr } = await rouse(host.installation.home, ['host', ...args, recovery.name]);
		assert.equal(exitCode, 0, stderr);
		return stdout;
	};
	assert.match(await said('show'), new RegExp(`^${recovery.name}: active, power on\n[^]*\nNext: its workflow: `));
	assert.match(await said('stop', '--force'), /power off/);
	assert.match(await said('show'), new RegExp(`\nNext: power it on: rouse host start ${recovery.name};`));
	assert.match(await said('start'), /power on/);
	const refused = await rouse(host.installation.home, ['host', 'remove', recovery.name, '--confirm', recovery.name]);
	assert.equal(refused.exitCode, 6);
	assert.match(refused.stderr, /rouse recover discard .*rouse recover adopt/);
});
