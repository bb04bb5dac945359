import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { mayUnpin, mustBeGranted } from '../../repository/service/admission.ts';
import { type Grant, Grants } from '../../repository/service/grants.ts';
import { places } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const grant: Grant = {
	recoveryId: '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d',
	name: 'web01-r1',
	host: 'hv1',
	repository: '/srv/rouse',
	machine: 'web01',
	restorePoint: '2026-11-20T03:00:00.000Z',
	manifestDigest: 'ab'.repeat(32),
};
const { recoveryId } = grant;
const asking = { host: 'hv1', repository: '/srv/rouse', recoveryId };
const others = {
	'another host': { host: 'hv2' },
	'another repository that is served': { repository: '/srv/other' },
	'another recovery': { recoveryId: '1c9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d' },
};

suite('`mustBeGranted`', () => {
	test('gives the grant to the host of the recovery, until that has ended', () => {
		assert.equal(mustBeGranted({ grant, ended: false }, asking), grant);
		assert.throws(() => mustBeGranted({ grant, ended: true }, asking), { code: 'access_denied' });
	});

	for (const [who, other] of Object.entries(others))
		test(`refuses ${who} in the words in which it refuses where there is none`, () => {
			const said = (held: Parameters<typeof mustBeGranted>[0]) => {
				try {
					return mustBeGranted(held, { ...asking, ...other });
				} catch (error) {
					return error;
				}
			};
			const refusal = said({ grant, ended: false });
			assert.ok(refusal instanceof Error && 'code' in refusal && refusal.code === 'access_denied');
			assert.deepEqual(refusal, said(undefined));
		});
});

suite('`mayUnpin`', () => {
	test('lets the host of a recovery, before and after its end, and has nothing for who has no grant', () => {
		for (const ended of [false, true]) assert.equal(mayUnpin({ grant, ended }, asking), true);
		assert.equal(mayUnpin(undefined, asking), false);
	});

	for (const [who, other] of Object.entries(others))
		test(`refuses ${who}`, () => {
			assert.throws(() => mayUnpin({ grant, ended: true }, { ...asking, ...other }), { code: 'access_denied' });
		});
});

suite('`Grants`', () => {
	test('are given, end and are forgotten, each as often as one likes, and one may be given anew', async t => {
		const home = await temporaryDirectory(t);
		const grants = new Grants(home);
		await grants.end(recoveryId);
		assert.equal(await grants.read(recoveryId), undefined);
		for (let turn = 0; turn < 2; turn += 1) {
			await grants.give(grant);
			await grants.give(grant);
			assert.deepEqual(await grants.read(recoveryId), { grant, ended: false });
			await grants.forget(recoveryId);
			assert.deepEqual(await grants.read(recoveryId), { grant, ended: false }, 'it has not ended');
			await grants.end(recoveryId);
			await grants.end(recoveryId);
			assert.deepEqual(await grants.read(recoveryId), { grant, ended: true });
		}
		await grants.forget(recoveryId);
		await grants.forget(recoveryId);
		assert.deepEqual(await readdir(places.repositoryGrants(home)), []);
	});

	test('one that cannot be read is `format_damaged`, with what helps', async t => {
		const home = await temporaryDirectory(t);
		const grants = new Grants(home);
		await grants.give(grant);
		for (const text of ['', '{"host": "hv1"}']) {
			await writeFile(join(places.repositoryGrants(home), `${recoveryId}.json`), text);
			await assert.rejects(grants.read(recoveryId), { code: 'format_damaged', hint: /rouse repo token/ });
		}
	});
});
