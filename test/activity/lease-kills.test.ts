/** A supervisor that is killed says of no lease what the next one does not keep to. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { HeldLease } from '../../model/broker.ts';
import { leaseRequest } from '../equipment/broker-site.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

const lease: HeldLease = {
	request: leaseRequest('r1', { hosts: ['local'], onHost: { recoveries: 1, memoryMiB: 64 }, lasting: ['memoryMiB'] }),
	host: 'local',
	token: 1,
};
const requestId = 'recovery/r1/a/run';
const unreachable = { code: 'supervisor_unreachable' };

async function simulatedHost(t: TestContext, killAt: string) {
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), sampleDisk(100_000, 3));
	const host = await SupervisedHost.create(t);
	await writeFile(join(host.installation.home, 'config.yaml'), 'host: {kind: simulated}\n');
	await host.start({ killAt });
	return { host, recovery: new SteppedRecovery(host, samplePlan(stored)) };
}

test('supervisor killed before it has answered which leases are gone: what was written down holds', async t => {
	const { host, recovery } = await simulatedHost(t, 'lease-ended');
	const before = await host.client.capacity();
	await assert.rejects(host.client.leasesGone([requestId, 'recovery/r2/a/run']), unreachable);
	await host.ended();
	await host.start();
	await assert.rejects(recovery.step('reserve', { limit: 8, lease }), { code: 'lease_ended' });
	assert.deepEqual(await host.client.leasesGone([requestId]), [requestId]);
	assert.ok((await host.client.capacity()).number > before.number);
});

test('supervisor killed with the tombstone of a finished recovery written: no report has its machine twice, or not at all', async t => {
	const { host, recovery } = await simulatedHost(t, 'tombstone-finished');
	await recovery.step('reserve', { limit: 8, lease });
	await recovery.run();
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	const before = await host.client.capacity();
	assert.deepEqual([before.held, before.resources['memoryMiB']?.outside], [[lease], 0]);
	await assert.rejects(recovery.step('finalize', {}), unreachable);
	await host.ended();
	await host.start();
	const after = await host.client.capacity();
	assert.deepEqual([after.held, after.resources['memoryMiB']?.outside], [[], 64]);
	const { afterReport = 0 } = await recovery.step('finalize', {});
	assert.ok(before.number <= afterReport && afterReport < after.number);
});
