/** The activities `pin` and `unpin`: what a host may read is granted where the repository cannot be written as well. */
import assert from 'node:assert/strict';
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { checkInputs } from '../../activities/checked-inputs.ts';
import { createControlActivities } from '../../activities/control-activities.ts';
import { directAccess } from '../../repository/access/direct.ts';
import { Grants } from '../../repository/service/grants.ts';
import { places } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { storedMachine } from '../equipment/stored-machine.ts';

async function control(t: TestContext) {
	const home = await temporaryDirectory(t);
	const { repository, machine, restorePoint, manifestDigest } = await storedMachine(home);
	const recoveryId = crypto.randomUUID();
	const input = { repository, machine, restorePoint, manifestDigest, recoveryId, recovery: 'web01-r1', host: 'hv1' };
	const grants = new Grants(home);
	const activities = createControlActivities({ repositories: directAccess, grants });
	const run = (activityType: 'pin' | 'unpin', of: object = input, { cancelled = false } = {}) => {
		const logger = new DefaultLogger('ERROR');
		const environment = new MockActivityEnvironment({ activityType }, { logger, interceptors: [checkInputs] });
		if (cancelled) environment.cancel();
		return environment.run(activities[activityType] as (given: object) => Promise<void>, of);
	};
	const pins = async () => (await directAccess.listPins(repository)).pins.map(pin => pin.recoveryId);
	return { home, input, recoveryId, grants, run, pins };
}

test('`pin` grants the host what it is to read, and `unpin` leaves neither pin nor grant', async t => {
	const { home, input, recoveryId, grants, run, pins } = await control(t);
	await run('pin');
	const { recovery: name, ...rest } = input;
	assert.deepEqual(await grants.read(recoveryId), { grant: { ...rest, name }, ended: false });
	assert.deepEqual(await pins(), [recoveryId]);
	await run('unpin');
	assert.deepEqual([await pins(), await readdir(places.repositoryGrants(home))], [[], []]);
});

test('a `pin` or `unpin` that the repository does not take grants, and ends what was granted, all the same', async t => {
	const { input, recoveryId, grants, run, pins } = await control(t);
	const file = join(input.repository, 'pins');
	await writeFile(file, 'no folder can be made here');
	await assert.rejects(run('pin'));
	assert.equal((await grants.read(recoveryId))?.ended, false);
	await rename(file, `${file}-away`);
	await mkdir(file);
	await run('pin');
	await rename(input.repository, `${input.repository}-away`);
	await assert.rejects(run('unpin'));
	assert.equal((await grants.read(recoveryId))?.ended, true);
	await rename(`${input.repository}-away`, input.repository);
	assert.deepEqual(await pins(), [recoveryId]);
	await run('unpin');
	assert.equal(await grants.read(recoveryId), undefined);
});

test('a `pin` of a history that names no host grants nothing', async t => {
	const { input, recoveryId, grants, run, pins } = await control(t);
	const { host: _none, ...before } = input;
	await run('pin', before);
	assert.equal(await grants.read(recoveryId), undefined);
	assert.deepEqual(await pins(), [recoveryId]);
});

test('a `pin` that is cancelled before it begins grants nothing', async t => {
	const { input, recoveryId, grants, run, pins } = await control(t);
	await assert.rejects(run('pin', input, { cancelled: true }));
	assert.deepEqual([await grants.read(recoveryId), await pins()], [undefined, []]);
});
