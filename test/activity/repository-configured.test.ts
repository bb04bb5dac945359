/** Of what a message names, workers and supervisor touch those repositories alone that config.yaml names. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { planRecovery } from '../../activities/control/plan-recovery.ts';
import { onlyThose } from '../../repository/access/configured.ts';
import { directAccess } from '../../repository/access/direct.ts';
import {
	addRepository,
	configuredAnywhere,
	configuredAs,
	configuredElsewhere,
	configuredOnly,
} from '../../system/configured-repositories.ts';
import { loadConfig } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';
import { storedMachine } from '../equipment/stored-machine.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

const refused = { code: 'repository_unknown', exitCode: 10, hint: /rouse repo add NAME / };

/** A repository that is configured, and a link to it beside it, which is not. */
async function place(t: TestContext) {
	const home = await temporaryDirectory(t);
	const request = await storedMachine(home);
	const link = join(home, 'link');
	await symlink(request.repository, link);
	return { home, request, link, access: onlyThose(directAccess, configuredOnly({ home })) };
}

test('a plan, a pin, an unpin and a list of pins in another directory are `repository_unknown`, and change nothing', async t => {
	const { request, link, access } = await place(t);
	const { machine, restorePoint, manifestDigest, hostId: recoveryId } = request;
	const pin = { recoveryId, machine, restorePoint, manifestDigest, reason: 'test' };
	await access.pin(request.repository, pin);
	const before = await readdir(request.repository, { recursive: true });
	for (const repository of [link, `${request.repository}/.`, `${request.repository}/pins/..`, '/', '']) {
		await assert.rejects(planRecovery({ ...request, repository }, { repositories: access }), refused, repository);
		await assert.rejects(access.pin(repository, { ...pin, recoveryId: crypto.randomUUID() }), refused);
		await assert.rejects(access.unpin(repository, recoveryId), refused);
		await assert.rejects(access.listPins(repository), refused);
	}
	assert.deepEqual(await readdir(request.repository, { recursive: true }), before);
	assert.equal((await planRecovery(request, { repositories: access })).repository, request.repository);
	assert.equal((await access.listPins(request.repository)).pins.length, 1);
	await access.unpin(request.repository, recoveryId);
});

test('what is configured counts as it is written at the moment, and from where config.yaml lies', async t => {
	const { home, request, access } = await place(t);
	await writeFile(join(home, 'config.yaml'), 'repositories: {main: ./elsewhere}\n');
	await assert.rejects(access.listPins(request.repository), refused);
	await writeFile(join(home, 'config.yaml'), 'repositories: {main: ./repository}\n');
	assert.deepEqual(await access.listPins(request.repository), { pins: [], unreadable: [] });
});

test('`configuredAs` gives the configured directory for any other way to it', async t => {
	const { home, request, link } = await place(t);
	const config = await loadConfig({ home });
	assert.equal(await configuredAs(config, link), request.repository);
	assert.equal(await configuredAs(config, request.repository), request.repository);
	assert.equal(await configuredAs(config, home), undefined);
	assert.equal(await configuredAs(config, join(home, 'nothing')), undefined);
	await rm(request.repository, { recursive: true });
	assert.equal(await configuredAs(config, request.repository), request.repository, 'it may be away');
});

test('`addRepository` makes the first config.yaml, keeps one of comments alone, and writes behind a link', async t => {
	const home = join(await temporaryDirectory(t), 'home');
	const config = join(home, 'config.yaml');
	assert.equal(await addRepository({ home }, 'main', '/srv/main'), true);
	assert.equal(await readFile(config, 'utf8'), 'repositories:\n  main: /srv/main\ndefaultRepository: main\n');
	await writeFile(config, '# nothing yet\n');
	await addRepository({ home }, 'main', '/srv/main');
	assert.match(await readFile(config, 'utf8'), /^# nothing yet\n+repositories:\n {2}main: \/srv\/main\n/);
	const real = join(home, 'real', 'config.yaml');
	await mkdir(join(home, 'real'));
	await writeFile(real, 'host: {name: here}\n');
	await rm(config);
	await symlink(real, config);
	await addRepository({ home }, 'main', '/srv/main');
	assert.match(await readFile(real, 'utf8'), /main: \/srv\/main/);
	await writeFile(real, 'nonsense: 1\n');
	await assert.rejects(addRepository({ home }, 'other', '/srv/other'), { code: 'config_invalid' });
	assert.equal(await readFile(real, 'utf8'), 'nonsense: 1\n');
});

test('a repository of another machine is one to read from by a service, and none to open', async t => {
	const { home } = await place(t);
	const said = {
		directory: '/srv/main',
		host: 'backup1',
		port: 7400,
		authority: 'a.crt',
		certificate: 'keys/c',
		key: '/k',
	};
	const config = (more: Record<string, unknown>) =>
		writeFile(join(home, 'config.yaml'), JSON.stringify({ repositoriesElsewhere: { main: said }, ...more }));
	await config({});
	await configuredAnywhere({ home })('/srv/main');
	await assert.rejects(configuredOnly({ home })('/srv/main'), refused);
	await assert.rejects(configuredAnywhere({ home })('/srv/other'), refused);
	const find = configuredElsewhere({ home });
	const [authority, certificate] = [join(home, 'a.crt'), join(home, 'keys', 'c')];
	assert.deepEqual(await find('/srv/main'), { ...said, authority, certificate });
	assert.equal(await find('/srv/other'), undefined);
	for (const [name, directory] of [
		['main', '/srv/own'],
		['own', '/srv/main'],
	] as const)
		await assert.rejects(addRepository({ home }, name, directory), {
			code: 'name_conflict',
			message: /on another machine/,
		});
	for (const repositories of [
		{ main: '/srv/own' },
		{ own: '/srv/main' },
		{ own: '../../../../../../../../srv/main' },
	]) {
		await config({ repositories });
		await assert.rejects(loadConfig({ home }), { code: 'config_invalid', message: /repositoriesElsewhere: main / });
	}
});

test('a supervisor takes no recovery whose repository is not configured, and keeps one that it has taken', async t => {
	const host = await SupervisedHost.create(t);
	const config = join(host.installation.home, 'config.yaml');
	await writeFile(config, 'host: {kind: simulated}\n');
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), sampleDisk(1024 * 1024, 3));
	await host.start();
	const { client } = host;
	const call = { recoveryId: crypto.randomUUID(), generation: 1 };
	const request = makeRequest({ name: 'r1', repository: stored.directory });
	const plan = samplePlan(stored, { hardware: { platform: 'simulated', data: {}, choices: [], warnings: [] } });
	await assert.rejects(client.step('r1', 'reserve', { ...call, limit: 8, request }), { code: 'repository_unknown' });
	await assert.rejects(client.step('r1', 'allocate', { ...call, plan }), { code: 'repository_unknown' });
	assert.deepEqual(await client.recoveries(), []);
	await client.step('r1', 'reserve', { ...call, limit: 8 });
	await assert.rejects(client.step('r1', 'allocate', { ...call, plan }), { code: 'repository_unknown' });
	await client.step('r1', 'discard', { ...call, generation: 2 });
	const recovery = new SteppedRecovery(host, samplePlan(stored), 'r2'); // which configures it
	await recovery.run();
	await writeFile(config, 'host: {kind: simulated}\n');
	await host.kill();
	await host.start();
	await recovery.restore();
	await recovery.step('discard', {});
});
