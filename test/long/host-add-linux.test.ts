/** `rouse host add` of a Linux machine that has a systemd of its own, by a real SSH server on it; and killed on its way. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { readLinuxHost } from '../../cli/host/linux/record.ts';
import { removeLinuxHost } from '../../cli/host/linux/remove.ts';
import { readAdmitted, withdrawHost } from '../../repository/service/admitted-hosts.ts';
import { removeHostId } from '../../system/configured-hosts.ts';
import { freePort } from '../../system/free-port.ts';
import { loadConfig, places, readIdentity } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';
import { killedAt } from '../equipment/killed-at-steps.ts';
import { linuxHostBench } from '../equipment/linux-host-bench.ts';
import { addLinuxForTest, linuxParts } from '../equipment/linux-host-child.ts';
import { linuxSsh } from '../equipment/linux-ssh.ts';
import { SystemdMachine } from '../equipment/systemd-machine.ts';

const addedSchema = z.looseObject({ added: z.boolean(), facts: z.looseObject({ systemd: z.boolean() }) });
const listSchema = z.looseObject({ hosts: z.array(z.looseObject({ name: z.string() })) });

test('`host add` brings a machine with systemd from nothing to a recovery, and `host remove` back', async t => {
	const shared = await temporaryDirectory(t);
	const machine = await SystemdMachine.booted(t, shared);
	await machine.run('mkdir', '-p', '/run/sshd');
	const ssh = await linuxSsh(t, join(shared, 'ssh'), (...command) =>
		machine.run('systemd-run', '--unit=sshd', ...command),
	);
	const serve = `serve: {address: 127.0.0.2, temporal: ${await freePort()}, repositories: {main: ${await freePort()}}}`;
	const control = await EmbeddedInstallation.up(t, `host: {name: kvm1, kind: simulated}\n${serve}\n`);
	await storePoints(control.repository);
	const place = ['--ssh', `root@${ssh.host}`, '--port', String(ssh.port), '--identity', ssh.identityPath];
	const add = ['host', 'add', 'kvm2', ...place, '--host-key', ssh.fingerprint];
	await control.answer(...add, '--dry-run');
	await assert.rejects(machine.run('ls', '/opt/rouse'));
	const first = addedSchema.parse(await control.answer(...add));
	assert.deepEqual([first.added, first.facts.systemd], [true, true]);
	assert.equal(addedSchema.parse(await control.answer(...add)).added, false);
	const units = () => machine.run('systemctl', 'list-units', '--plain', '--no-legend', 'rouse-*.service');
	assert.match(await units(), /^rouse-[^ ]+\.service +loaded active running/);

	await control.answer('recover', 'start', 'web01@latest', '--name', 'web', '--host', 'kvm2', '--finish', 'migrate');
	await control.shown('web', 'finished', ({ phase }) => phase === 'finished', 240_000);
	const remove = ['host', 'remove', 'kvm2', '--confirm', 'kvm2', '--identity', ssh.identityPath];
	assert.equal((await control.refusal(...remove)).code, 'phase_wrong');
	assert.match(await units(), /active running/);
	await machine.run('/opt/rouse/bin/rouse', 'host', 'remove', 'web', '--confirm', 'web');
	await control.answer(...remove);
	assert.equal(await units(), '');
	await assert.rejects(machine.run('ls', '/opt/rouse'));
	await assert.rejects(machine.run('ls', '/var/lib/rouse'));
	const { hosts } = listSchema.parse(await control.answer('host', 'list'));
	assert.deepEqual(hosts, []);
});

test('`host add` that was killed before each third of its steps is finished by the next one', async t => {
	const { installation, what, commands } = await linuxHostBench(t);
	const { wanted } = what;
	const directory = join(places.hosts(installation.home), wanted.name);
	const call = { module: 'linux-host-child.ts', name: 'addLinuxForTest', args: [what] };
	let kills = 0;
	for (let step = 1; await killedAt(step, call); step += 3) {
		kills += 1;
		await addLinuxForTest(what);
		const { hosts } = await loadConfig(installation);
		const { hostId, name } = { hostId: hosts['kvm2']?.id, name: (await loadConfig({ home: wanted.home })).host.name };
		assert.deepEqual([await readIdentity(places.hostIdentity(wanted.home)), name], [hostId, 'kvm2'], `${step}`);
		const [admitted, ...more] = await readAdmitted(installation.home);
		assert.deepEqual([admitted?.host, admitted?.hostId, more.length], ['kvm2', hostId, 0], `${step}`);
		assert.equal((await commands()).at(-1), 'up --detach');
		const known = await readLinuxHost(directory);
		assert.equal(known?.phase, 'ready');
		await removeLinuxHost(known, await linuxParts(what), {
			dryRun: false,
			forget: false,
			mustBeIdle: async () => undefined,
			withdraw: async () => {
				await withdrawHost(installation.home, 'kvm2');
				await removeHostId(installation, 'kvm2');
			},
		});
	}
	assert.ok(kills > 10, `${kills}`);
});
