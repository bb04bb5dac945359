import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { requestIdOf } from '../../model/broker.ts';
import { explain } from '../../workflows/broker/explain.ts';
import { BrokerSite, leaseRequest, nameOf } from '../equipment/broker-site.ts';

const totals = {
	'repository/main': { mounts: 4 },
	'host/kvm1': { recoveries: 2, memoryMiB: 10 },
	'host/kvm2': { recoveries: 3, memoryMiB: 10 },
	'host/kvm3': { recoveries: 2, memoryMiB: 60 },
};

const request = fc
	.record({
		hosts: fc.subarray(['kvm1', 'kvm2', 'kvm3'], { minLength: 1 }),
		mounts: fc.integer({ min: 0, max: 4 }),
		recoveries: fc.integer({ min: 1, max: 2 }),
		memoryMiB: fc.integer({ min: 1, max: 12 }),
		lasts: fc.boolean(),
		priority: fc.integer({ min: 1, max: 5 }),
		// All is over before the first ageing, which may change the order: 25 times as long is less.
		expectedMs: fc.integer({ min: 1, max: 20_000 }),
	})
	.map(({ hosts, mounts, recoveries, memoryMiB, lasts, priority, expectedMs }) => ({
		shared: mounts === 0 ? {} : { 'repository/main/mounts': mounts },
		hosts,
		onHost: { recoveries, memoryMiB },
		lasting: lasts ? ['memoryMiB'] : [],
		priority,
		expectedMs,
	}));

interface Start {
	estimatedStartMs: number | null;
	host: string | null;
}

test('`explain` foresees every start and host to the millisecond when all holders keep to their estimates', () => {
	fc.assert(
		fc.property(fc.array(request, { minLength: 1, maxLength: 25 }), wanted => {
			const site = new BrokerSite(totals);
			const requests = wanted.map((fields, number) => leaseRequest(`m${number}`, fields));
			site.acquire(...requests);
			const foreseen = new Map(
				explain(site.state, site.nowMs, 100).waiting.map(({ requestId, estimatedStartMs, host }) => [
					requestId,
					{ estimatedStartMs, host },
				]),
			);
			const seen = new Map<string, Start>(
				requests.map(each => [requestIdOf(each), { estimatedStartMs: null, host: null }]),
			);
			play(site, (requestId, host) => seen.set(requestId, { estimatedStartMs: site.nowMs, host }));
			for (const [requestId, start] of seen) assert.deepEqual(foreseen.get(requestId), start, requestId);
		}),
		{ numRuns: 300, endOnFailure: true },
	);
});

/** Gives back each lease at its expected end, in their order, until none is left. */
function play(site: BrokerSite, onGrant: (requestId: string, host: string | null) => void): void {
	for (;;) {
		site.happens({ type: 'tick' }).forEach(effect => {
			if (effect.type === 'grant') onGrant(effect.requestId, effect.host);
		});
		const ends = [...site.state.leases.values()].map(
			({ grantedMs, request: { expectedMs } }) => grantedMs + expectedMs,
		);
		if (ends.length === 0) return;
		site.nowMs = Math.min(...ends);
		for (const lease of site.state.leases.values()) {
			if (lease.grantedMs + lease.request.expectedMs > site.nowMs) continue;
			const { onHost, lasting } = lease.request;
			const stays = Object.fromEntries(lasting.map(kind => [kind, onHost[kind] ?? 0]));
			site.happens({
				type: 'release',
				release: { requestId: lease.requestId, stays: { onHost: stays, afterReport: 1_000 } },
			});
		}
	}
}

test('`explain` says for each request what is lacking, who has it, who goes before, and when it may start', () => {
	const site = new BrokerSite({ 'host/kvm1': { migrations: 2 } });
	const on = (machine: string, migrations: number, expectedMs: number) =>
		leaseRequest(machine, { hosts: ['kvm1'], onHost: { migrations }, expectedMs });
	site.acquire(on('one', 1, 60_000), on('two', 1, 30_000));
	site.tick();
	site.acquire(on('next', 2, 60_000), on('last', 1, 60_000), on('huge', 3, 60_000));
	site.acquire(leaseRequest('lost', { hosts: ['kvm9'], onHost: { migrations: 1 } }));
	const view = explain(site.state, site.nowMs, 10);
	const told = view.waiting.map(({ requestId, position, host, estimatedStartMs, lacks }) => ({
		name: nameOf(requestId),
		position,
		host,
		startsIn: estimatedStartMs === null ? null : estimatedStartMs - site.nowMs,
		lacks: lacks.map(({ resource, why, holders, ahead }) => [
			resource,
			why,
			holders.map(share => nameOf(share.requestId)).join(),
			ahead.map(share => nameOf(share.requestId)).join(),
		]),
	}));
	const migrations = 'host/kvm1/migrations';
	assert.deepEqual(told, [
		{ name: 'next', position: 1, host: 'kvm1', startsIn: 60_000, lacks: [[migrations, 'held', 'one,two', '']] },
		{ name: 'last', position: 2, host: 'kvm1', startsIn: 120_000, lacks: [[migrations, 'held', 'one,two', 'next']] },
		{
			name: 'huge',
			position: 3,
			host: null,
			startsIn: null,
			lacks: [[migrations, 'too_little', 'one,two', 'next,last']],
		},
		{ name: 'lost', position: 4, host: null, startsIn: null, lacks: [['host/kvm9/migrations', 'unknown', '', '']] },
	]);
	assert.deepEqual(
		view.resources.find(({ resource }) => resource === migrations),
		{ resource: migrations, capacity: 2, set: null, held: 2, reserved: 3 },
	);
});

test('`explain` says `reserved` where the leases alone would leave room, and `late` after a deadline', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 2 } });
	const mounts = (machine: string, count: number, deadlineMs: number | null = null) =>
		leaseRequest(machine, { shared: { 'repository/main/mounts': count }, deadlineMs });
	site.acquire(mounts('holder', 1));
	site.tick();
	site.acquire(mounts('wide', 2, site.nowMs), mounts('narrow', 1, site.nowMs + 200_000));
	const [wide, narrow] = explain(site.state, site.nowMs, 10).waiting;
	assert.equal(wide?.late, true);
	assert.equal(narrow?.late, false);
	assert.deepEqual(
		narrow?.lacks.map(({ why, ahead }) => [why, ahead]),
		[['reserved', [{ requestId: 'recovery/wide/a/run', weight: 2 }]]],
	);
});

test('`explain` of a lease that has outlived its estimate expects its end a little later each time', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 1 } });
	const mount = { 'repository/main/mounts': 1 };
	site.acquire(leaseRequest('holder', { shared: mount, expectedMs: 1_200_000 }));
	site.tick();
	site.acquire(leaseRequest('next', { shared: mount }));
	const startsIn = () => (explain(site.state, site.nowMs, 1).waiting[0]?.estimatedStartMs ?? 0) - site.nowMs;
	assert.equal(startsIn(), 1_200_000);
	site.nowMs += 1_200_000;
	assert.equal(startsIn(), 120_000);
	site.nowMs += 60_000;
	assert.equal(startsIn(), 120_000);
});

test('`explain` tells the first of those that wait, and how many there are', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 1 } });
	for (const machine of ['a', 'b', 'c']) {
		site.acquire(leaseRequest(machine, { shared: { 'repository/main/mounts': 2 } }));
	}
	const { waiting, waitingCount } = explain(site.state, site.nowMs, 2);
	assert.deepEqual([waiting.map(({ requestId }) => nameOf(requestId)), waitingCount], [['a', 'b'], 3]);
});

test('`explain` of one holder tells what it alone holds and waits for, at its place among all', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 1 } });
	const mount = { 'repository/main/mounts': 1 };
	for (const machine of ['holder', 'first', 'second']) site.acquire(leaseRequest(machine, { shared: mount }));
	site.tick();
	const of = (machine: string) => explain(site.state, site.nowMs, 1, `recovery/${machine}`);
	const { waiting, leases, waitingCount } = of('second');
	assert.deepEqual([waiting.map(({ position }) => position), leases, waitingCount], [[2], [], 2]);
	assert.deepEqual(waiting[0]?.lacks[0]?.free, 0);
	assert.deepEqual([of('holder').leases.length, of('holder').waiting], [1, []]);
});
