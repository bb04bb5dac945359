import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { addLinuxHost, planLinuxHost } from '../../cli/host/linux/add.ts';
import { type LinuxHostRecord, readLinuxHost } from '../../cli/host/linux/record.ts';
import { Remote } from '../../cli/host/linux/remote.ts';
import { type LinuxRemoval, removeLinuxHost } from '../../cli/host/linux/remove.ts';
import type { SetupEvent } from '../../hypervisors/hyperv/host-setup/work.ts';
import { readAdmitted, withdrawHost } from '../../repository/service/admitted-hosts.ts';
import { admitHost } from '../../repository/service/service-keys.ts';
import { removeHostId } from '../../system/configured-hosts.ts';
import { exists } from '../../system/if-there.ts';
import { type Installation, loadConfig, places, readIdentity } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { linuxHostBench } from '../equipment/linux-host-bench.ts';
import { linuxSsh } from '../equipment/linux-ssh.ts';
import { linuxParts } from '../equipment/linux-host-child.ts';

const { signal } = new AbortController();

test('`host add` of a Linux host sends the program, joins, starts services; again changes nothing; `host remove` undoes all of it, also when it was cut off', async t => {
	const { installation, what, commands } = await linuxHostBench(t);
	const { wanted } = what;
	const parts = await linuxParts(what);
	const record = join(places.hosts(installation.home), 'kvm2');
	const { steps } = await planLinuxHost(wanted, parts);
	assert.equal(steps.length, 6);
	assert.deepEqual(await readdir(dirname(wanted.home)), []);
	assert.equal(await exists(record), false);

	assert.equal((await addLinuxHost(wanted, parts)).added, true);
	assert.deepEqual(await commands(), ['host join', 'up --detach']);
	const { hosts } = await loadConfig(installation);
	assert.equal(await readIdentity(places.hostIdentity(wanted.home)), hosts['kvm2']?.id);
	assert.deepEqual(
		(await readAdmitted(installation.home)).map(({ host }) => host),
		['kvm2'],
	);
	// Neither keys nor an archive are left on the way.
	assert.deepEqual((await readdir(wanted.directory)).toSorted(), ['.lock', 'bin', 'rouse-0123456789abcdef']);
	assert.deepEqual((await readdir(record)).toSorted(), ['known_hosts', 'linux.json', 'lock']);
	assert.equal((await addLinuxHost(wanted, parts)).added, false);
	assert.deepEqual(await commands(), []);
	await assert.rejects(addLinuxHost({ ...wanted, home: '/elsewhere' }, parts), { code: 'name_conflict' });
	const otherKey = { ...parts, expectedHostKey: 'SHA256:no' };
	for (const name of ['kvm2', 'kvm3'])
		await assert.rejects(addLinuxHost({ ...wanted, name }, otherKey), { code: 'identity_conflict' }, name);

	const known = await readLinuxHost(record);
	assert.ok(known);
	const removal = removalOf(installation);
	const machine = join(places.recoveries(wanted.home), 'web');
	await mkdir(machine, { recursive: true });
	await assert.rejects(removeLinuxHost(known, parts, removal), { code: 'phase_wrong', message: /web/ });
	assert.deepEqual(await commands(), [], 'its services run on');
	await rm(machine, { recursive: true });
	await removeLinuxHost(known, parts, { ...removal, dryRun: true });
	assert.deepEqual(await commands(), []);
	const cutOff = { ...removal, withdraw: () => Promise.reject(new Error('cut off')) };
	await assert.rejects(removeLinuxHost(known, parts, cutOff), /cut off/);
	assert.deepEqual(await commands(), ['down --quiet', 'service remove']);
	assert.deepEqual(await readdir(dirname(wanted.home)), []);
	await assert.rejects(addLinuxHost(wanted, parts), { code: 'name_conflict', message: /is being removed/ });
	// A home that is not of a host is left alone.
	await mkdir(wanted.home);
	await writeFile(join(wanted.home, 'thesis.txt'), 'of somebody');
	await removeLinuxHost(known, parts, removal);
	assert.deepEqual(await readdir(wanted.home), ['thesis.txt']);
	assert.equal(await exists(record), false);
	assert.deepEqual(await readAdmitted(installation.home), []);
	assert.deepEqual((await loadConfig(installation)).hosts, {});
});

test('`host remove` that meets a machine which came at the last moment has its services started again, and the host stays', async t => {
	const { installation, what, commands } = await linuxHostBench(t);
	const { wanted } = what;
	const parts = await linuxParts(what);
	await addLinuxHost(wanted, parts);
	const record = await readLinuxHost(join(places.hosts(installation.home), 'kvm2'));
	assert.ok(record);
	await commands();
	const command = join(wanted.directory, 'bin', 'rouse');
	const machine = join(places.recoveries(wanted.home), 'web');
	const program = await readFile(command, 'utf8');
	await writeFile(command, program.replace('\n', `\nmkdir -p ${machine}\n`));
	await assert.rejects(removeLinuxHost(record, parts, removalOf(installation)), {
		code: 'phase_wrong',
		message: /web/,
	});
	const again = (await exists('/run/systemd/system')) ? 'service install' : 'up --detach';
	assert.deepEqual(await commands(), ['down --quiet', again]);
	assert.equal((await readLinuxHost(join(places.hosts(installation.home), 'kvm2')))?.phase, 'ready');
	assert.equal((await readAdmitted(installation.home)).length, 1);
});

test('one machine does not become two hosts, nor one that others could exchange the program of; what is not of a host stays when it is removed', async t => {
	const { installation, what, commands } = await linuxHostBench(t);
	const { wanted } = what;
	const parts = await linuxParts(what);
	await admitHost(installation.home, 'kvm4', join(installation.home, 'kvm4'));
	await assert.rejects(addLinuxHost({ ...wanted, name: 'kvm4' }, parts), { code: 'name_conflict' });
	await mkdir(wanted.directory);
	await chmod(wanted.directory, 0o777);
	await assert.rejects(addLinuxHost(wanted, parts), { code: 'precheck_failed', message: /written by others/ });
	await chmod(wanted.directory, 0o700);
	const beside = join(wanted.directory, 'rouse-backups');
	await mkdir(beside);
	await addLinuxHost(wanted, parts);
	const other = { ...wanted, name: 'kvm3' };
	await assert.rejects(addLinuxHost(other, parts), { code: 'precheck_failed', message: /of the host kvm2/ });
	await commands();

	// As an earlier version has left one.
	const { hostKey } = (await readLinuxHost(join(places.hosts(installation.home), 'kvm2'))) ?? { hostKey: '' };
	const told: string[] = [];
	const tell = (event: SetupEvent) => event.type === 'warning' && told.push(event.message);
	await mkdir(join(places.hosts(installation.home), 'kvm3'), { recursive: true });
	const half: LinuxHostRecord = { version: 0, kind: 'linux', wanted: other, phase: 'adding', hostKey };
	await removeLinuxHost(half, { ...parts, tell }, { ...removalOf(installation), withdraw: async () => undefined });
	assert.match(told.join(), /of the host kvm2 .*nothing is removed there/);
	assert.deepEqual(await commands(), []);
	assert.equal(await exists(join(wanted.home, 'joined.json')), true);

	await rename(wanted.home, join(dirname(wanted.home), 'elsewhere'));
	await symlink('elsewhere', wanted.home);
	await mkdir(join(wanted.home, 'lost+found'));
	const record = await readLinuxHost(join(places.hosts(installation.home), 'kvm2'));
	assert.ok(record);
	await removeLinuxHost(record, parts, removalOf(installation));
	assert.deepEqual(await readdir(wanted.home), ['lost+found']);
	assert.deepEqual(await readdir(wanted.directory), ['rouse-backups']);
});

function removalOf(installation: Installation): LinuxRemoval {
	return {
		dryRun: false,
		forget: false,
		mustBeIdle: async () => undefined,
		withdraw: async () => {
			await withdrawHost(installation.home, 'kvm2');
			await removeHostId(installation, 'kvm2');
		},
	};
}

test('`Remote.send` sends what is not there yet, and all anew where that was something else', async t => {
	const ssh = await linuxSsh(t, join(await temporaryDirectory(t), 'ssh'));
	const directory = await temporaryDirectory(t);
	const [local, path, knownHostsPath] = ['local', 'path', '50%h known'].map(name => join(directory, name));
	assert.ok(local && path && knownHostsPath);
	await writeFile(local, Buffer.alloc(300_000, 'rouse'));
	const { user, host, port, identityPath } = ssh;
	const key = (await readFile(join(dirname(identityPath), 'host-key.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');
	await writeFile(knownHostsPath, `[${host}]:${port} ${key}\n`);
	const remote = new Remote({ user, host, port, identityPath, knownHostsPath }, signal);
	const content = await readFile(local);
	const sha256 = createHash('sha256').update(content).digest('hex');
	const part = `${path}.${sha256.slice(0, 16)}.part`;
	let first: number | undefined;
	const send = (digest: string) => remote.send(local, path, digest, done => (first ??= done));
	await writeFile(part, content.subarray(0, 250_000));
	await send(sha256);
	assert.ok(first !== undefined && first > 250_000, `${first}`);
	assert.ok((await readFile(path)).equals(content));
	await rm(path);
	await writeFile(part, Buffer.alloc(250_000));
	await send(sha256);
	assert.ok((await readFile(path)).equals(content));
	await rm(path);
	await assert.rejects(send('0'.repeat(64)), { code: 'io_failed' });
	assert.deepEqual((await readdir(directory)).toSorted(), ['50%h known', 'local']);
});
