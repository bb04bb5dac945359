import assert from 'node:assert/strict';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { mend } from '../../cli/doctor/mend.ts';
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

test('`mend` takes a grant away that is left, and not one that was given anew', async t => {
	const home = await temporaryDirectory(t);
	const grants = new Grants(home);
	await grants.give(grant);
	const left = { code: 'grant_left', subject: recoveryId, explanation: '', command: '' } as const;
	const mending = () => mend({ ...left, fix: { do: 'end-grant', recoveryId } }, { home, cacheDirectory: home });
	assert.equal((await mending()).failure?.code, 'lock_held');
	assert.deepEqual(await grants.read(recoveryId), { grant, ended: false });
	await utimes(join(places.repositoryGrants(home), `${recoveryId}.json`), 1, 1);
	assert.equal((await mending()).mended, true);
	assert.deepEqual(await readdir(places.repositoryGrants(home)), []);
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

	test('`list` gives those that stand and those that have ended, without what cannot be read', async t => {
		const home = await temporaryDirectory(t);
		const grants = new Grants(home);
		assert.deepEqual(await grants.list(), []);
		const ended = { ...grant, recoveryId: others['another recovery'].recoveryId };
		for (const one of [grant, ended]) await grants.give(one);
		await grants.end(ended.recoveryId);
		await writeFile(join(places.repositoryGrants(home), 'x.json'), '');
		const listed = (await grants.list()).toSorted((a, b) => Number(a.ended) - Number(b.ended));
		assert.deepEqual(
			listed.map(({ ageMs: _any, ...held }) => held),
			[
				{ grant, ended: false },
				{ grant: ended, ended: true },
			],
		);
		assert.ok(listed.every(({ ageMs }) => Math.abs(ageMs) < 60_000));
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
