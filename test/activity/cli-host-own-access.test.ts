import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import { mustBeOurs, withdrawOurs } from '../../cli/host/own-access.ts';
import { readAdmitted, withdrawHost } from '../../repository/service/admitted-hosts.ts';
import { admitHost } from '../../repository/service/service-keys.ts';
import { addHostId } from '../../system/configured-hosts.ts';
import { loadConfig, openInstallation } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const other = { hostId: '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d', admitted: false };
const own = { hostId: '11111111-2222-4333-8444-555555555555', admitted: false };

it('`mustBeOurs` refuses the name of another host, and `withdrawOurs` leaves that what it has', async t => {
	const installation = await openInstallation(await temporaryDirectory(t));
	const { home } = installation;
	const [access, elsewhere] = [join(home, 'access'), join(home, 'elsewhere')];
	await mustBeOurs(installation, 'hv1', access, undefined);
	await addHostId(installation, 'hv1', other.hostId);
	await assert.rejects(mustBeOurs(installation, 'hv1', access, own), {
		code: 'name_conflict',
		message: /config\.yaml/,
	});
	await withdrawOurs(installation, 'hv1', access, own);
	assert.deepEqual((await loadConfig({ home })).hosts, { hv1: { id: other.hostId } });

	await admitHost(home, 'hv1', elsewhere);
	for (const known of [undefined, other])
		await assert.rejects(mustBeOurs(installation, 'hv1', access, known), {
			code: 'name_conflict',
			message: /admitted/,
		});
	await withdrawOurs(installation, 'hv1', access, own);
	// Its own certificate is another one.
	await admitHost(home, 'hv2', access);
	await withdrawOurs(installation, 'hv1', access, own);
	assert.deepEqual(
		(await readAdmitted(home)).map(({ host }) => host),
		['hv1', 'hv2'],
	);

	await mustBeOurs(installation, 'hv1', elsewhere, other);
	await withdrawOurs(installation, 'hv1', elsewhere, other);
	assert.deepEqual((await loadConfig({ home })).hosts, {});
	assert.deepEqual(
		(await readAdmitted(home)).map(({ host }) => host),
		['hv2'],
	);
});

it('`mustBeOurs` is `phase_wrong` for a host that was withdrawn after it was let in', async t => {
	const installation = await openInstallation(await temporaryDirectory(t));
	const access = join(installation.home, 'access');
	await admitHost(installation.home, 'hv1', access);
	await mustBeOurs(installation, 'hv1', access, { ...own, admitted: true });
	await withdrawHost(installation.home, 'hv1');
	// One that died before it was recorded is let in by the next try.
	await mustBeOurs(installation, 'hv1', access, own);
	await assert.rejects(mustBeOurs(installation, 'hv1', access, { ...own, admitted: true }), {
		code: 'phase_wrong',
		hint: /rouse host remove hv1 --confirm hv1/,
	});
});
