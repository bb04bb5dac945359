/** The steps of an import as activities take them: in processes that are killed, hang, and know secrets by name. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ActivityCancellationDetails, ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createImportActivities } from '../../activities/import-activities.ts';
import { childSteps } from '../../sources/machine-child/children.ts';
import { directSteps } from '../../sources/machine-child/direct.ts';
import { blockBytes as block } from '../../sources/simulated-machine/bitmaps.ts';
import { waitFor } from '../../system/wait.ts';
import { hasEnded } from '../../system/has-ended.ts';
import { ImportInstallation, secret } from '../equipment/import-installation.ts';
import { noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const quiet = () => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
const dyingAt = (place: string) => ({ env: { ...process.env, ROUSE_TEST_KILL_AT: place } });
const onProgress = () => {};
const nameOf = async () => 'main';

test('an import by processes goes on where one was killed, whichever step it took, and leaves one checkpoint', async t => {
	const site = await ImportInstallation.make(t);
	const { home, places, machine } = site;
	const steps = childSteps(home);
	const order = await steps.plan(places, site.wish(), signal);
	await assert.rejects(childSteps(home, dyingAt('begin-disk:2')).begin(places, order, signal), {
		code: 'import_failed',
	});
	const moment = await steps.begin(places, order, signal);
	await machine.write('disk-0', 0, noise(block, 9));
	await steps.ready(places, moment, signal);
	const copy = { order, moment, maxRateBytes: null };
	for (const place of ['data', 'manifest'])
		await assert.rejects(childSteps(home, dyingAt(place)).copy(places, copy, { signal, onProgress }), {
			code: 'import_failed',
			message: /SIGKILL/,
		});
	const { restorePoint } = await steps.copy(places, copy, { signal, onProgress });
	assert.ok((await site.readBytes(order.tag)) <= 2 * 22 * block);
	await assert.rejects(childSteps(home, dyingAt('kept')).commit(places, order, signal), { code: 'import_failed' });
	await steps.commit(places, order, signal);
	assert.deepEqual([await site.points(), await site.tagsLeft()], [[restorePoint], [order.tag]]);
});

test('a moment that its platform takes long to have at hand is looked for again and again, by a process each time', async t => {
	const site = await ImportInstallation.make(t);
	const { home, places } = site;
	const steps = directSteps(home, { mostWaitMs: 0 });
	const order = await steps.plan(places, site.wish(), signal);
	const moment = await steps.begin(places, order, signal);
	await site.fails({ at: 'ready', does: 'pending', times: 1 });
	const look = quiet().run(createImportActivities(steps, nameOf).awaitMoment, { places, moment });
	await assert.rejects(look, (error: unknown) => {
		assert.ok(error instanceof ApplicationFailure);
		assert.deepEqual([error.type, error.nonRetryable], ['source_busy', false]);
		return true;
	});
	await quiet().run(createImportActivities(steps, nameOf).awaitMoment, { places, moment });
});

test('a copy that is cancelled has its process killed, and its import is given up', async t => {
	const site = await ImportInstallation.make(t);
	const { home, places } = site;
	const pids: number[] = [];
	const steps = childSteps(home, { onStart: pid => pids.push(pid) });
	const order = await steps.plan(places, site.wish(), signal);
	const moment = await steps.begin(places, order, signal);
	const environment = quiet();
	// So slow that it does not end by itself.
	const copying = environment.run(createImportActivities(steps, nameOf).copyImport, {
		places,
		order,
		moment,
		maxRateBytes: 1024,
	});
	copying.catch(() => undefined);
	await waitFor('its process', () => pids.length === 3, { timeoutMs: 20_000 });
	environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
	await assert.rejects(copying, CancelledFailure);
	const [, , pid] = pids;
	assert.ok(pid !== undefined);
	await waitFor('its end', () => hasEnded(pid, new Date()), { timeoutMs: 20_000 });
	assert.equal(await steps.giveUp(places, order, signal), 'given-up');
	assert.deepEqual([await site.points(), await site.tagsLeft()], [[], []]);
});

test('a process that says nothing is killed', async t => {
	const site = await ImportInstallation.make(t);
	const { home, places } = site;
	const order = await childSteps(home).plan(places, site.wish(), signal);
	const moment = await childSteps(home).begin(places, order, signal);
	const steps = childSteps(home, { silenceMs: 1, onStart: pid => process.kill(pid, 'SIGSTOP') });
	await assert.rejects(steps.copy(places, { order, moment, maxRateBytes: null }, { signal, onProgress }), {
		code: 'timeout',
	});
});

test('what a platform says of a secret does not leave the process that knows it', async t => {
	const site = await ImportInstallation.make(t);
	const { home, places } = site;
	await site.fails({ at: 'describe', does: 'tell-secret' });
	const environment = quiet();
	const told = await environment
		.run(createImportActivities(childSteps(home), nameOf).planImport, { places, ...site.wish() })
		.then(
			() => undefined,
			(error: unknown) => error,
		);
	assert.ok(told instanceof ApplicationFailure);
	assert.deepEqual([told.type, told.nonRetryable, told.cause], ['source_unreachable', false, undefined]);
	assert.match(told.message, /key=\[secret\]: connection reset/);
	assert.ok(!JSON.stringify([told.message, told.details, told.stack]).includes(secret));
});

test('a source or a repository that config.yaml does not name any more is refused, and so is another repository', async t => {
	const site = await ImportInstallation.make(t);
	const { home, places } = site;
	const steps = childSteps(home);
	const other = { ...places, repositoryId: '5d0c3b52-7c0e-4a7a-9a52-3c1d6f1c9b11' };
	await assert.rejects(steps.plan(other, site.wish(), signal), { code: 'identity_conflict' });
	await assert.rejects(steps.plan(places, { ...site.wish(), machine: 'db01' }, signal), { code: 'config_invalid' });
	await assert.rejects(steps.plan({ ...places, source: 'db' }, site.wish(), signal), { code: 'config_invalid' });
	const order = await steps.plan(places, site.wish(), signal);
	await assert.rejects(steps.begin(places, { ...order, machine: 'db01' }, signal), { code: 'config_invalid' });
	const owner = order.owner.replace(places.repositoryId, other.repositoryId);
	await assert.rejects(steps.giveUp(places, { ...order, owner }, signal), { code: 'identity_conflict' });
	await writeFile(join(home, 'config.yaml'), 'sources: {web: {uri: "simulated:///nowhere"}}\n');
	await assert.rejects(steps.plan(places, site.wish(), signal), { code: 'repository_unknown' });
});
