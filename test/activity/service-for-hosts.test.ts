/** What supervisors ask the service of a repository on another machine, `repo serve` as it is there: tokens and pins. */
import assert from 'node:assert/strict';
import { chmod, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { askPin, askToken, askUnpin } from '../../movers/repository-mover/host-client.ts';
import { directAccess } from '../../repository/access/direct.ts';
import { Grants } from '../../repository/service/grants.ts';
import { readToken } from '../../repository/service/point-token.ts';
import { admitHost, readTokenKey, serviceKeys } from '../../repository/service/service-keys.ts';
import { OwedUnpins } from '../../supervisor/files/owed-unpins.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { pinsByService } from '../../supervisor/reconcile/pins-by-service.ts';
import { places } from '../../system/installation.ts';
import type { RepositoryElsewhere } from '../../system/repository-elsewhere.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { Elsewhere } from '../equipment/elsewhere.ts';
import { type Simulation, hardware, simulate } from '../equipment/simulated-recovery.ts';

const why = { code: 'space_short', reason: 'no space is left' } as const;

interface Place {
	elsewhere: Elsewhere;
	here: Simulation;
}

/** A simulated host, whose repository is on another machine. */
async function place(t: TestContext): Promise<Place> {
	let service: RepositoryElsewhere | undefined;
	const findElsewhere = async (directory: string) => (directory === service?.directory ? service : undefined);
	const grants = new Grants(await temporaryDirectory(t));
	const repositories = pinsByService(directAccess, { findElsewhere, askPin, askUnpin, grants });
	const here = await simulate(t, { parts: { findElsewhere, askToken, repositories } });
	const elsewhere = await Elsewhere.of(t, here.stored);
	service = elsewhere.configured();
	here.recovery.plan = await elsewhere.plan({ hardware });
	return { elsewhere, here };
}

/** Up to a machine whose movers are to be started. */
async function make({ recovery }: Simulation): Promise<void> {
	await recovery.step('reserve', { limit: 8 });
	await recovery.step('allocate', { plan: recovery.plan });
	await recovery.step('create-machine', {});
}

test('`start-movers` waits for a service that is away, says so, and goes on when it is back', async t => {
	const { elsewhere, here } = await place(t);
	const { recovery } = here;
	await elsewhere.pin(recovery);
	await make(here);
	await elsewhere.served.end('SIGKILL');
	const starting = recovery.step('start-movers', {});
	const { stalled, done } = await recovery.viewed('waiting', view => view.stalled !== null);
	assert.match(stalled?.reason ?? '', /^its token is waited for: .* 127\.0\.0\.1:\d+: nobody listens/);
	assert.ok(!done.includes('start-movers'));
	await elsewhere.start();
	await starting;
	assert.equal((await recovery.view()).stalled, null);
	for (const kind of ['source_away', 'source_back']) await here.incident(kind);
	await recovery.step('snapshot', {});
	await recovery.step('power-on', { on: true });
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	await recovery.step('finalize', {});
});

test('`discard` ends a `start-movers` that waits for a service', async t => {
	const { elsewhere, here } = await place(t);
	const { recovery } = here;
	await make(here);
	await elsewhere.served.end('SIGKILL');
	const starting = assert.rejects(recovery.step('start-movers', {}), { code: 'generation_stale' });
	await recovery.viewed('waiting', view => view.stalled !== null);
	await recovery.step('discard', {});
	await starting;
	await assert.rejects(stat(here.host.directory(recovery.name)), { code: 'ENOENT' });
});

test('`start-movers` of a recovery that was not pinned, or whose unpin has begun, is `access_denied`', async t => {
	const { elsewhere, here } = await place(t);
	const { recovery } = here;
	const refusal = { code: 'access_denied', message: /of host hv1 reads/, hint: /host\.name/ };
	await make(here);
	await assert.rejects(recovery.step('start-movers', {}), refusal);
	await elsewhere.pin(recovery);
	await elsewhere.grants.end(recovery.recoveryId);
	await assert.rejects(recovery.step('start-movers', {}), refusal);
	await elsewhere.pin(recovery);
	await recovery.step('start-movers', {});
	const { token } = recoveryPlaces(here.host.installation, recovery.name, recovery.recoveryId);
	assert.equal((await stat(token)).mode & 0o777, 0o600);
	await recovery.step('discard', {});
});

test('a recovery that is unpinned is pinned by the service, and an unpin that is owed takes pin and grant away', async t => {
	const { elsewhere, here } = await place(t);
	const { recovery, host, stored } = here;
	const { recoveryId } = recovery;
	await elsewhere.pin(recovery);
	await directAccess.unpin(stored.directory, recoveryId); // as if it had not been written
	await recovery.step('reserve', { limit: 8 });
	await recovery.step('unpinned', why);
	await recovery.step('allocate', { plan: recovery.plan });
	await recovery.viewed('pinned', view => view.unpinned === null);
	assert.deepEqual(await elsewhere.pins(), [recoveryId]);
	await recovery.step('discard', {});
	await elsewhere.grants.end(recoveryId); // by an unpin that went no further
	await recovery.step('owe-unpin', { repository: stored.directory });
	const owed = new OwedUnpins(host.installation.home);
	await waitFor('the unpin', async () => (await owed.recoveryIds()).length === 0, { timeoutMs: 30_000 });
	assert.deepEqual(await elsewhere.pins(), []);
	assert.equal(await elsewhere.grants.read(recoveryId), undefined);
});

test('the service gives a host the token of the point that its recovery was granted, and nothing of another host', async t => {
	const { elsewhere, here } = await place(t);
	const { recoveryId, plan } = here.recovery;
	await elsewhere.pin(here.recovery);
	const own = elsewhere.configured();
	const token = readToken(await readTokenKey(await serviceKeys(elsewhere.home)), await askToken(own, { recoveryId }));
	const { machine, restorePoint: time, manifestDigest } = plan;
	assert.deepEqual(token, { recoveryId, machine, time, manifestDigest });

	const hv2 = await admitHost(elsewhere.home, 'hv2', join(await temporaryDirectory(t), 'keys'), ['repositories']);
	const other = elsewhere.configured(hv2);
	for (const ask of [askToken, askPin, askUnpin])
		await assert.rejects(ask(other, { recoveryId }), { code: 'access_denied', message: /of host hv2/ });
	for (const ask of [askToken, askPin])
		await assert.rejects(ask(own, { recoveryId: crypto.randomUUID() }), { code: 'access_denied' });
	await askUnpin(own, { recoveryId: crypto.randomUUID() });
	assert.deepEqual(await elsewhere.pins(), [recoveryId]);
	assert.equal((await elsewhere.grants.read(recoveryId))?.ended, false);
});

test('a recovery keeps what it was granted when the keys of the service are renewed', async t => {
	const { elsewhere, here } = await place(t);
	const { recoveryId } = here.recovery;
	await elsewhere.pin(here.recovery);
	const old = elsewhere.configured();
	await elsewhere.served.end('SIGTERM');
	await rm(places.repositoryKeys(elsewhere.home), { recursive: true });
	await elsewhere.start();
	await assert.rejects(askToken(old, { recoveryId }), { code: 'mover_unreachable' });
	const keys = await admitHost(elsewhere.home, 'hv1', join(await temporaryDirectory(t), 'keys'));
	const renewed = elsewhere.configured(keys);
	readToken(await readTokenKey(await serviceKeys(elsewhere.home)), await askToken(renewed, { recoveryId }));
	await askUnpin(renewed, { recoveryId });
	assert.deepEqual(await elsewhere.pins(), []);
});

test('a service that starts while its repository is away gives tokens and ends grants, and movers wait', async t => {
	const { elsewhere, here } = await place(t);
	const { recoveryId } = here.recovery;
	const { directory } = here.stored;
	await elsewhere.pin(here.recovery);
	await elsewhere.served.end('SIGTERM');
	await rename(directory, `${directory}-away`);
	await elsewhere.start();
	const own = elsewhere.configured();
	readToken(await readTokenKey(await serviceKeys(elsewhere.home)), await askToken(own, { recoveryId }));
	await waitFor('the reason', () => /movers wait: /.test(elsewhere.served.said()), { timeoutMs: 10_000 });
	await assert.rejects(askUnpin(own, { recoveryId }), { code: 'repository_missing' });
	assert.equal((await elsewhere.grants.read(recoveryId))?.ended, true);
});

test('an unpin that the service cannot do ends the token, and is done when it is asked for again', async t => {
	const { elsewhere, here } = await place(t);
	const { recoveryId } = here.recovery;
	await elsewhere.pin(here.recovery);
	const own = elsewhere.configured();
	await rename(here.stored.directory, `${here.stored.directory}-away`);
	await assert.rejects(askUnpin(own, { recoveryId }), { code: 'repository_missing' });
	await assert.rejects(askToken(own, { recoveryId }), { code: 'access_denied' });
	await rename(`${here.stored.directory}-away`, here.stored.directory);
	assert.deepEqual(await elsewhere.pins(), [recoveryId]);
	await askUnpin(own, { recoveryId });
	assert.deepEqual(await elsewhere.pins(), []);
});

test('a host sends a question to nobody but the service of its authority, and reads no key that others may read', async t => {
	const { elsewhere, here } = await place(t);
	const { recoveryId } = here.recovery;
	const stranger = await Elsewhere.of(t, here.stored);
	const { authority, ...own } = elsewhere.configured();
	await assert.rejects(askToken({ ...own, authority: stranger.keys.authority }, { recoveryId }), {
		code: 'mover_unreachable',
	});
	await chmod(own.key, 0o644);
	await assert.rejects(askToken({ ...own, authority }, { recoveryId }), { code: 'config_invalid', message: /secret/ });
});

test('an unpin of a repository of this machine ends and forgets what was granted for it', async t => {
	const { elsewhere, here } = await place(t);
	const { recoveryId } = here.recovery;
	await elsewhere.pin(here.recovery);
	const { grants } = elsewhere;
	const own = pinsByService(directAccess, { findElsewhere: async () => undefined, askPin, askUnpin, grants });
	await rename(here.stored.directory, `${here.stored.directory}-away`);
	await assert.rejects(own.unpin(here.stored.directory, recoveryId), { code: 'repository_missing' });
	assert.equal((await grants.read(recoveryId))?.ended, true);
	await rename(`${here.stored.directory}-away`, here.stored.directory);
	await own.unpin(here.stored.directory, recoveryId);
	assert.deepEqual([await elsewhere.pins(), await grants.read(recoveryId)], [[], undefined]);
});
