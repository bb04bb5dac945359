import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeldLease } from '../../model/broker.ts';
import { accountOf, memoryLeftMiB, type Sample, type Tenant } from '../../supervisor/capacity/account.ts';
import { leaseRequest } from '../equipment/broker-site.ts';

const limits = { recoveries: 8, migrations: 4, memoryReserveMiB: 1_000 };

/** A host of 20,000 MiB on which 2,000 MiB are somebody else's. */
function sample(taken: Record<string, number> = {}, othersMiB = 2_000): Sample {
	const machinesMiB = Object.values(taken).reduce((sum, one) => sum + one, 0);
	return {
		host: { memory: { totalMiB: 20_000, freeMiB: 20_000 - othersMiB - machinesMiB }, cpus: 8 },
		takenMiB: new Map(Object.entries(taken)),
	};
}

function leaseOf(machine: string, memoryMiB: number, token = 1): HeldLease {
	const request = leaseRequest(machine, { hosts: ['kvm1'], onHost: { recoveries: 1, memoryMiB, vcpus: 4 } });
	return { request, host: 'kvm1', token };
}

function tenant(recoveryId: string, more: Partial<Tenant> = {}): Tenant {
	return {
		recoveryId,
		lease: null,
		memoryMiB: 4_000,
		cpus: 4,
		runs: true,
		recovers: true,
		copies: false,
		...more,
	};
}

const leased = (id: string) => tenant(id, { lease: leaseOf(id, 4_000) });
const memory = (seen: Sample, ...tenants: Tenant[]) => accountOf(seen, tenants, limits).resources['memoryMiB'];

test('`accountOf` an empty host: what others take is outside, and the reserve is not there to be granted', () => {
	assert.deepEqual(accountOf(sample(), [], limits), {
		resources: {
			recoveries: { total: 8, outside: 0 },
			migrations: { total: 4, outside: 0 },
			memoryMiB: { total: 19_000, outside: 2_000 },
			vcpus: { total: 64, outside: 0 },
		},
		held: [],
	});
});

test('`accountOf` a host that takes no new copies has those that run, and says why it has no more', () => {
	const why = 'the datastore was at 27 ms';
	const copiesWith = (least: number, ...tenants: Tenant[]) =>
		accountOf(sample(), tenants, { ...limits, noNewCopies: { why, least } }).resources['migrations'];
	const copies = (...tenants: Tenant[]) => copiesWith(0, ...tenants);
	assert.deepEqual(copies(), { total: 0, outside: 0, reduced: why });
	assert.deepEqual(copiesWith(1), { total: 1, outside: 0, reduced: why });
	const one = tenant('a', { copies: true });
	const other = { ...leased('b'), copies: true };
	assert.deepEqual(copies(one, other, tenant('c')), { total: 2, outside: 1, reduced: why });
	assert.deepEqual(copies(...['a', 'b', 'c', 'd'].map(id => tenant(id, { copies: true }))), { total: 4, outside: 4 });
});

test('`accountOf` a leased guest is the same before it touches its memory, half way and when it has touched all', () => {
	for (const taken of [0, 1_500, 4_000]) assert.equal(memory(sample({ a: taken }), leased('a'))?.outside, 2_000);
	// What it takes above its lease is of its own process, and nobody granted it.
	assert.equal(memory(sample({ a: 4_200 }), leased('a'))?.outside, 2_200);
});

test('`accountOf` a machine without a lease counts all of it, touched or not, and none while it is off', () => {
	for (const taken of [0, 1_500, 4_000]) assert.equal(memory(sample({ a: taken }), tenant('a'))?.outside, 6_000);
	assert.equal(memory(sample({ a: 4_200 }), tenant('a'))?.outside, 6_200);
	assert.equal(memory(sample(), tenant('a', { runs: false }))?.outside, 2_000);
});

test('`accountOf` the finish of a leased machine moves its memory from its lease to what is outside', () => {
	const seen = sample({ a: 1_500, b: 300 });
	const others = leased('b');
	const free = (one: Tenant) => memoryLeftMiB(seen, [one, others], limits);
	const before = free(leased('a'));
	const finished = tenant('a', { recovers: false });
	assert.equal(free(finished), before);
	assert.equal(memory(seen, finished, others)?.outside, 6_000);
});

test('`accountOf` a machine that went away after it was looked at counts as taken until the next look', () => {
	assert.equal(memory(sample({ gone: 3_000 }))?.outside, 5_000);
});

test('`accountOf` counts recoveries, copies and processors of what no lease covers alone', () => {
	const { resources, held } = accountOf(
		sample(),
		[
			leased('b'),
			leased('a'),
			tenant('c', { copies: true }),
			tenant('d', { recovers: false }),
			tenant('e', { recovers: false, runs: false }),
		],
		{ ...limits, vcpus: 10 },
	);
	assert.deepEqual(resources['recoveries'], { total: 8, outside: 1 });
	assert.deepEqual(resources['migrations'], { total: 4, outside: 1 });
	assert.deepEqual(resources['vcpus'], { total: 10, outside: 8 });
	assert.deepEqual(
		held.map(({ request }) => request.holder.workflowId),
		['recovery/a', 'recovery/b'],
	);
});

test('The reserve that nobody has set is a sixteenth, at least 512 MiB, at most 4096, and never more than there is', () => {
	const total = (totalMiB: number) =>
		accountOf({ host: { memory: { totalMiB, freeMiB: totalMiB }, cpus: 1 }, takenMiB: new Map() }, [], {
			recoveries: 1,
			migrations: 1,
		}).resources['memoryMiB']?.total;
	assert.deepEqual([256, 4_096, 32_768, 1_048_576].map(total), [0, 3_584, 30_720, 1_044_480]);
});

test('`memoryLeftMiB` is what neither leases nor others take', () => {
	assert.equal(memoryLeftMiB(sample({ a: 1_000 }), [leased('a')], limits), 19_000 - 2_000 - 4_000);
	assert.equal(memoryLeftMiB(sample({}, 18_000), [leased('a')], limits), -3_000);
});
