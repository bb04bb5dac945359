import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { leaseRequest } from '../equipment/broker-site.ts';
import { BrokerWorld, type Plan } from '../equipment/broker-world.ts';

const totals = {
	'repository/main': { mounts: 3, streams: 2, imports: 2 },
	'host/kvm1': { recoveries: 2, memoryMiB: 8 },
	'host/kvm2': { recoveries: 3, memoryMiB: 4 },
	'host/kvm3': { recoveries: 1, memoryMiB: 16 },
};

const shared = fc.constantFrom<Record<string, number>[]>(
	{},
	{ 'repository/main/mounts': 1 },
	{ 'repository/main/mounts': 3 },
	{ 'repository/main/mounts': 1, 'repository/main/streams': 2 },
);

/** Whatever the pool, one of its hosts can bear it; an import has none. */
const placed = fc.constantFrom<{ hosts: string[]; onHost: Record<string, number> }[]>(
	{ hosts: ['kvm1'], onHost: { recoveries: 1 } },
	{ hosts: ['kvm2'], onHost: { recoveries: 2, memoryMiB: 4 } },
	{ hosts: ['kvm2', 'kvm1'], onHost: { recoveries: 1, memoryMiB: 7 } },
	{ hosts: ['kvm1', 'kvm2', 'kvm3'], onHost: { recoveries: 1, memoryMiB: 3 } },
	{ hosts: ['kvm1', 'kvm3'], onHost: { memoryMiB: 8 } },
	{ hosts: [], onHost: {} },
);

const plan = fc.record({
	shared,
	placed,
	priority: fc.integer({ min: 1, max: 5 }),
	deadline: fc.option(fc.integer({ min: 0, max: 100 })),
	asksAt: fc.integer({ min: 1, max: 60 }),
	holds: fc.integer({ min: 0, max: 30 }),
	expected: fc.integer({ min: 1, max: 400 }),
});

const plans = fc.array(plan, { minLength: 1, maxLength: 30 }).map(all =>
	all.map(
		({ placed: { hosts, onHost }, shared: resources, priority, deadline, expected, asksAt, holds }, number): Plan => ({
			request: leaseRequest(`m${number}`, {
				shared: hosts.length > 0 ? resources : { 'repository/main/imports': 1 },
				hosts,
				onHost,
				priority,
				deadlineMs: deadline === null ? null : 1_800_000_000_000 + deadline * 10_000,
				expectedMs: expected * 1_000,
			}),
			asksAt,
			holds,
		}),
	),
);

test('`reduce` loses no request, grants none twice and nothing above a capacity, whatever comes late, twice or is lost', () => {
	fc.assert(
		fc.property(plans, fc.nat(), (all, seed) => {
			const world = new BrokerWorld(all, totals, seed);
			for (let step = 0; step < 150; step += 1) world.step(true);
			// 30 requests of 30 steps each, one after another, and the time in which a broker comes up.
			for (let step = 0; step < 1_200 && !world.over; step += 1) world.step(false);
			const left = world.clients.filter(({ state }) => state !== 'over').map(({ request }) => request);
			assert.deepEqual(left, [], 'not served');
		}),
		// To make a schedule shorter takes minutes; the seed says which one it was.
		{ numRuns: 150, endOnFailure: true },
	);
});
