import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { readAdmitted, withdrawHost } from '../../repository/service/admitted-hosts.ts';
import { admitHost, readTokenKey, serviceKeys } from '../../repository/service/service-keys.ts';
import { places } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse } from '../equipment/command-line.ts';
import { sampleRecoveryId } from '../equipment/movers.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';

test('`serviceKeys` of several processes at once, after one died over it, are the same keys, for their owner alone', async t => {
	const home = await temporaryDirectory(t);
	const parent = places.repositoryKeys(home);
	await mkdir(join(parent, 'making-abc'), { recursive: true });
	const [one, another] = await Promise.all([serviceKeys(home), serviceKeys(home)]);
	assert.deepEqual(one, another);
	const key = await readTokenKey(one);
	assert.deepEqual(await readTokenKey(await serviceKeys(home)), key);
	assert.deepEqual((await readdir(parent)).toSorted(), ['keys', 'lock']);
	for (const name of await readdir(join(parent, 'keys')))
		assert.equal((await stat(join(parent, 'keys', name))).mode & 0o777, 0o600, name);
});

test('`readTokenKey` of a key that others may read, or that is cut, is `config_invalid`', async t => {
	const keys = await serviceKeys(await temporaryDirectory(t));
	const key = await readFile(keys.tokenKey);
	await writeFile(keys.tokenKey, key.subarray(1));
	await assert.rejects(readTokenKey(keys), { code: 'config_invalid' });
	const open = { ...keys, tokenKey: `${keys.tokenKey}.open` };
	await writeFile(open.tokenKey, key);
	await chmod(open.tokenKey, 0o644);
	await assert.rejects(readTokenKey(open), { code: 'config_invalid' });
});

test('`admitHost` gives each host a key of its own, and none that signs', async t => {
	const home = await temporaryDirectory(t);
	const first = await admitHost(home, 'hv1', join(home, 'hv1'));
	const second = await admitHost(home, 'hv2', join(home, 'hv2'));
	assert.deepEqual(await readdir(join(home, 'hv1')), ['authority.crt', 'host.crt', 'host.key']);
	assert.deepEqual(await readFile(first.authority), await readFile(second.authority));
	assert.notDeepEqual(await readFile(first.key), await readFile(second.key));
	await assert.rejects(admitHost(home, 'hv3', join(home, 'hv1')), { code: 'usage' });
	assert.deepEqual((await readdir(home)).toSorted(), ['hv1', 'hv2', 'repository-keys']);
	assert.equal((await stat(join(places.repositoryKeys(home), 'admitted.json'))).mode & 0o777, 0o600);
});

test('`admitHost` of a name that is admitted is `name_conflict`, and leaves its keys as they are, until `withdrawHost`', async t => {
	const home = await temporaryDirectory(t);
	const twice = ['one', 'two'].map(name => admitHost(home, 'hv1', join(home, name)));
	const outcomes = await Promise.allSettled(twice);
	assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
	const [admitted] = await readAdmitted(home);
	await assert.rejects(admitHost(home, 'hv1', join(home, 'three')), { code: 'name_conflict' });
	assert.deepEqual(await readAdmitted(home), [admitted]);
	assert.equal(await withdrawHost(home, 'hv1'), true);
	assert.equal(await withdrawHost(home, 'hv1'), false);
	const { certificate } = await admitHost(home, 'hv1', join(home, 'four'), ['temporal']);
	const { fingerprint256 } = new X509Certificate(await readFile(certificate));
	const [again] = await readAdmitted(home);
	assert.deepEqual([again?.fingerprint, again?.to], [fingerprint256, ['temporal']]);
	assert.notEqual(again?.fingerprint, admitted?.fingerprint);
});

test('`repo serve`, `repo admit` and `repo token` refuse what cannot be done, and overwrite nothing', async t => {
	const directory = await temporaryDirectory(t);
	const home = join(directory, 'home');
	const repository = join(directory, 'repository');
	await storeDisk(repository, sampleDisk(1024 * 1024));
	const taken = createServer();
	await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve));
	t.after(() => taken.close());
	const address = taken.address();
	const port = typeof address === 'object' ? address?.port : 0;
	const said = ['--recovery', sampleRecoveryId, '--to', join(directory, 'token')];
	const token = ['repo', 'token', 'sample@latest', '--repo', repository, ...said];
	assert.equal((await rouse(home, token)).exitCode, 0);
	const before = await readFile(join(directory, 'token'));
	for (const [args, message] of [
		[['repo', 'serve', repository, '--listen', `127.0.0.1:${port}`], /cannot listen on .* in use/],
		[['repo', 'serve', join(directory, 'none'), '--listen', '127.0.0.1:0'], /there is no repository/],
		[token, /token is there already/],
		[['repo', 'token', 'sample@2001', '--repo', repository, ...said], /no restore point 2001/],
		[['repo', 'admit', 'hv1', '--to', repository], /repository is there already/],
	] as const) {
		const { exitCode, stderr } = await rouse(home, args);
		assert.notEqual(exitCode, 0, args.join(' '));
		assert.match(stderr, message);
	}
	assert.deepEqual(await readFile(join(directory, 'token')), before);
});
