/** A second machine becomes a host of an installation by one file, runs a recovery whole, and is taken out again: two homes. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { serviceFiles, serviceHolder } from '../../keeper/services.ts';
import { directAccess } from '../../repository/access/direct.ts';
import { readAdmitted } from '../../repository/service/admitted-hosts.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { changeConfig } from '../../system/change-config.ts';
import { loadConfig, openInstallation } from '../../system/installation.ts';
import { freePort } from '../../system/free-port.ts';
import { endHolder } from '../../system/spawn-locked.ts';
import { waitFor } from '../../system/wait.ts';
import { rouse } from '../equipment/command-line.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';
import { fastDirectory } from '../equipment/simulated-bench.ts';

const address = '127.0.0.2';

const listSchema = z.looseObject({
	hosts: z.array(
		z.looseObject({ name: z.string(), answers: z.boolean().nullable(), host: z.looseObject({}).nullable() }),
	),
});
const brokerSchema = z.looseObject({
	resources: z.array(z.looseObject({ resource: z.string(), set: z.int().nullable() })),
});
const doctorSchema = z.looseObject({ findings: z.array(z.looseObject({ code: z.string() })) });
const upSchema = z.looseObject({ services: z.array(z.looseObject({ name: z.string() })) });

test('`host invite` and `host join`: another home is a host of the installation, until `host remove`', async t => {
	const [door, port] = [await freePort(), await freePort()];
	const serve = `serve: {address: ${address}, temporal: ${door}, repositories: {main: ${port}}}`;
	const control = await EmbeddedInstallation.up(t, `host: {name: kvm1, kind: simulated}\n${serve}\n`, fastDirectory);
	const { repository, installation } = control;
	const [point] = await storePoints(repository);
	assert.ok(point);
	const directory = await temporaryDirectory(t);
	const file = join(directory, 'kvm2.invitation');
	await control.answer('host', 'invite', 'kvm2', '--to', file);
	const answers = async () => {
		const { hosts } = listSchema.parse(await control.answer('host', 'list'));
		return hosts.map(({ name, answers: said }) => [name, said]);
	};
	assert.deepEqual(await answers(), [['kvm2', false]]);
	const slots = async () => {
		const { resources } = brokerSchema.parse(await control.answer('broker', 'show'));
		return resources.find(({ resource }) => resource === 'host/kvm2/recoveries')?.set;
	};

	const home = join(directory, 'home');
	const joined = await rouse(home, ['host', 'join', file, '--json']);
	assert.equal(joined.exitCode, 0, joined.stderr);
	// Of all that a person would write there only this is of the test.
	await changeConfig({ home }, document => document.setIn(['host', 'kind'], 'simulated'));
	const there = await EmbeddedInstallation.over(t, await openInstallation(home));
	const { services } = upSchema.parse(await there.answer('up', '--detach'));
	assert.deepEqual(
		services.map(({ name }) => name),
		['supervisor', 'host-worker'],
	);
	assert.deepEqual(await answers(), [['kvm2', true]]);

	const which = `${point.machine}@${point.restorePoint}`;
	await control.answer('recover', 'start', which, '--name', 'web', '--host', 'kvm2', '--finish', 'manual');
	await control.shown('web', 'running', ({ phase }) => phase === 'running');
	const supervisor = SupervisorClient.of(there.installation);
	const { recoveryId, movers } = await supervisor.recovery('web');
	assert.deepEqual(
		movers.map(({ kind }) => kind),
		['mount', 'migration'],
	);
	const pins = async () => (await directAccess.listPins(repository)).pins.map(pin => pin.recoveryId);
	assert.deepEqual(await pins(), [recoveryId]);
	assert.equal((await control.refusal('host', 'remove', 'kvm2', '--confirm', 'kvm2')).code, 'phase_wrong');
	assert.deepEqual(await control.answer('host', 'drain', 'kvm2'), { name: 'kvm2', drained: true, open: ['web'] });
	assert.equal((await control.refusal('host', 'drain', 'kvm3')).code, 'host_unknown');
	assert.equal(await slots(), 0);

	// People see it on its host, and give orders at the installation, and nowhere else.
	assert.equal((await there.show('web')).phase, 'running');
	for (const order of [
		['migrate', 'web'],
		['discard', 'web', '--confirm', 'web'],
	])
		assert.equal((await there.refusal('recover', ...order)).code, 'access_denied');
	assert.equal((await there.refusal('broker', 'show')).code, 'access_denied');
	assert.deepEqual(
		doctorSchema.parse(await there.answer('doctor')).findings,
		[],
		'looked at, without what Temporal lists',
	);

	// Its keeper first, which would start another at once.
	for (const name of ['keeper', 'host-worker'] as const) await endHolder(serviceFiles(home, name).lockPath);
	await control.answer('recover', 'migrate', 'web');
	assert.deepEqual(await answers(), [['kvm2', false]]);
	assert.equal(await serviceHolder(home, 'host-worker'), undefined);
	await there.answer('up', '--detach');
	await control.shown('web', 'finished', ({ phase }) => phase === 'finished');
	assert.deepEqual(await pins(), []);
	assert.equal(await supervisor.machinePower('web', 'off'), 'off');
	const { disks } = await supervisor.recovery('web');
	for (const [index, { path }] of disks.entries())
		assert.ok((await readFile(path)).equals(point.disks[index] ?? Buffer.alloc(0)));

	const remove = ['host', 'remove', 'kvm2', '--confirm', 'kvm2'];
	await waitFor('its recovery to be over for Temporal', async () => (await control.run(...remove)).exitCode === 0, {
		timeoutMs: 20_000,
	});
	assert.deepEqual([await readAdmitted(installation.home), (await loadConfig(installation)).hosts], [[], {}]);
	assert.equal((await control.refusal('recover', 'start', point.machine, '--host', 'kvm2')).code, 'host_unknown');
	assert.deepEqual([await answers(), (await slots()) ?? null], [[], null]);
});
