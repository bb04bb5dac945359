import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { addLinuxHost, planLinuxHost } from '../../cli/host/linux/add.ts';
import { readLinuxHost } from '../../cli/host/linux/record.ts';
import { Remote } from '../../cli/host/linux/remote.ts';
import { removeLinuxHost } from '../../cli/host/linux/remove.ts';
import { readAdmitted, withdrawHost } from '../../repository/service/admitted-hosts.ts';
import { removeHostId } from '../../system/configured-hosts.ts';
import { exists } from '../../system/if-there.ts';
import { loadConfig, places, readIdentity } from '../../system/installation.ts';
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
	await assert.rejects(addLinuxHost({ ...wanted, name: 'kvm3' }, { ...parts, expectedHostKey: 'SHA256:no' }), {
		code: 'identity_conflict',
	});

	const known = await readLinuxHost(record);
	assert.ok(known);
	const removal = {
		dryRun: false,
		forget: false,
		mustBeIdle: async () => undefined,
		withdraw: async () => {
			await withdrawHost(installation.home, 'kvm2');
			await removeHostId(installation, 'kvm2');
		},
	};
	const machine = join(places.recoveries(wanted.home), 'web');
	await mkdir(machine, { recursive: true });
	await assert.rejects(removeLinuxHost(known, parts, removal), { code: 'phase_wrong', message: /web/ });
	assert.deepEqual(await commands(), [], 'its services run on');
	await rm(machine, { recursive: true });
	await removeLinuxHost(known, parts, { ...removal, dryRun: true });
	assert.deepEqual(await commands(), []);
	const cutOff = { ...removal, withdraw: () => Promise.reject(new Error('cut off')) };
	await assert.rejects(removeLinuxHost(known, parts, cutOff), /cut off/);
	assert.deepEqual(await commands(), ['service remove', 'down --quiet']);
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

test('`Remote.send` sends what is not there yet, and all anew where that was something else', async t => {
	const ssh = await linuxSsh(t, join(await temporaryDirectory(t), 'ssh'));
	const directory = await temporaryDirectory(t);
	const [local, path, knownHostsPath] = ['local', 'path', 'known'].map(name => join(directory, name));
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
	assert.deepEqual((await readdir(directory)).toSorted(), ['known', 'local']);
});
