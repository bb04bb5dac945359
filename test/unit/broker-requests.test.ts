import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokerLimits, leaseRequestSchema } from '../../model/broker.ts';
import { explain } from '../../workflows/broker/explain.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

const memory = { hosts: ['kvm1'], onHost: { memoryMiB: 4, recoveries: 1 }, lasting: ['memoryMiB'] };

function memorySite(): BrokerSite {
	return new BrokerSite({ 'host/kvm1': { memoryMiB: 8, recoveries: 8 } });
}

function capacityOf(site: BrokerSite, resource: string): number | null | undefined {
	return explain(site.state, site.nowMs, 0).resources.find(each => each.resource === resource)?.capacity;
}

test('`acquire` of a request that waits is the same request; of one that is granted tells the same grant again', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 1 } });
	const request = leaseRequest('web', { shared: { 'repository/main/mounts': 1 } });
	site.acquire(request, request);
	assert.deepEqual(site.waiting(), ['web']);
	const [granted] = site.happens({ type: 'tick' });
	assert.deepEqual(site.happens({ type: 'acquire', request }), [granted]);
	assert.deepEqual(site.tick(), []);
	assert.deepEqual(site.held(), ['web']);
});

test('`acquire` asked again keeps its place', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 1 } });
	const [one, two] = ['one', 'two'].map(machine => leaseRequest(machine, { shared: { 'repository/main/mounts': 1 } }));
	assert.ok(one && two);
	site.acquire(one, two, one);
	assert.deepEqual(site.tick(), ['one']);
});

test('`tick` gives tokens above the time, so that a broker without memory does not begin below a lost one', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 2 } });
	site.acquire(...['one', 'two'].map(machine => leaseRequest(machine, { shared: { 'repository/main/mounts': 1 } })));
	site.tick();
	assert.deepEqual(
		[...site.state.leases.values()].map(({ token }) => token - site.nowMs),
		[0, 1],
	);
});

test('`release` is remembered for the last 500 requests', () => {
	const site = new BrokerSite();
	for (let number = 0; number <= brokerLimits.ended; number += 1) {
		site.release(leaseRequest(`m${number}`, { shared: { 'repository/main/mounts': 1 } }));
	}
	assert.equal(site.state.ended.size, brokerLimits.ended);
	assert.equal(site.state.ended.has('recovery/m0/a/run'), false);
});

test('`acquire` after the release of the same request is refused, also when the release has overtaken it', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 1 } });
	const request = leaseRequest('web', { shared: { 'repository/main/mounts': 1 } });
	site.release(request);
	assert.deepEqual(site.happens({ type: 'acquire', request }), [
		{ type: 'refuse', holder: request.holder, requestId: 'recovery/web/a/run', code: 'lease_ended' },
	]);
	assert.deepEqual(site.waiting(), []);
	site.acquire({ ...request, step: 'run-2' });
	assert.deepEqual(site.tick(), ['web']);
});

test('`release` twice gives back once, and a request that waits is withdrawn by it', () => {
	const site = new BrokerSite({ 'repository/main': { mounts: 1 } });
	const [one, two] = ['one', 'two'].map(machine => leaseRequest(machine, { shared: { 'repository/main/mounts': 1 } }));
	assert.ok(one && two);
	site.acquire(one, two);
	site.tick();
	site.release(two);
	site.release(one);
	site.release(one);
	assert.deepEqual([site.held(), site.waiting(), site.tick()], [[], [], []]);
});

test('`acquire` beyond 2,000 waiting requests is refused with `broker_full`, and may be asked again', () => {
	const site = new BrokerSite({ 'host/kvm1': { recoveries: 1 } });
	const request = (number: number) => leaseRequest(`m${number}`, { hosts: ['kvm1'], onHost: { recoveries: 1 } });
	for (let number = 0; number < brokerLimits.waiters; number += 1) site.acquire(request(number));
	assert.equal(site.effects.length, 0);
	const beyond = request(brokerLimits.waiters);
	const [refused] = site.happens({ type: 'acquire', request: beyond });
	assert.deepEqual(refused?.type === 'refuse' && refused.code, 'broker_full');
	site.tick();
	assert.deepEqual(site.happens({ type: 'acquire', request: beyond }), []);
	assert.equal(site.waiting().length, brokerLimits.waiters);
});

test('`acquire` of what wants nothing of a host is refused when 250 of such wait, and keeps no recovery out', () => {
	const site = new BrokerSite({ 'repository/main': { imports: 0 }, 'host/kvm1': { recoveries: 1 } });
	const request = (number: number) => leaseRequest(`m${number}`, { shared: { 'repository/main/imports': 1 } });
	for (let number = 0; number < brokerLimits.waitingWithoutHost; number += 1) site.acquire(request(number));
	assert.equal(site.effects.length, 0);
	const [refused] = site.happens({ type: 'acquire', request: request(brokerLimits.waitingWithoutHost) });
	assert.deepEqual(refused?.type === 'refuse' && refused.code, 'broker_full');
	site.acquire(leaseRequest('web', { hosts: ['kvm1'], onHost: { recoveries: 1 } }));
	assert.deepEqual(site.tick(), ['web@kvm1']);
});

test('`tick` grants no more than 2,000 leases at a time, and says what is lacking', () => {
	const site = new BrokerSite({ 'host/kvm1': { recoveries: 1_000_000 } });
	const request = (number: number) => leaseRequest(`m${number}`, { hosts: ['kvm1'], onHost: { recoveries: 1 } });
	for (let number = 0; number < brokerLimits.leases; number += 1) site.acquire(request(number));
	assert.equal(site.tick().length, brokerLimits.leases);
	site.acquire(request(brokerLimits.leases));
	assert.deepEqual(site.tick(), []);
	assert.equal(explain(site.state, site.nowMs, 1).waiting[0]?.lacks[0]?.resource, 'broker/leases');
	site.release(request(0));
	assert.deepEqual(site.tick(), ['m2000@kvm1']);
});

test('`release` says what stays: charged until a report that has it', () => {
	const site = memorySite();
	site.acquire(leaseRequest('one', memory));
	site.tick();
	site.happens({
		type: 'release',
		release: { requestId: 'recovery/one/a/run', stays: { onHost: { memoryMiB: 4 }, afterReport: 5 } },
	});
	assert.equal(capacityOf(site, 'host/kvm1/memoryMiB'), 4);
	const before = { memoryMiB: { total: 8, outside: 0 } };
	site.report('host/kvm1', {}, { number: 5, resources: before });
	assert.equal(capacityOf(site, 'host/kvm1/memoryMiB'), 4);
	site.report('host/kvm1', {}, { number: 6, resources: { memoryMiB: { total: 8, outside: 3 } } });
	assert.equal(capacityOf(site, 'host/kvm1/memoryMiB'), 5);
});

test('`release` of what a report has already counts it once', () => {
	const site = memorySite();
	site.acquire(leaseRequest('one', memory));
	site.tick();
	site.report('host/kvm1', {}, { number: 6, resources: { memoryMiB: { total: 8, outside: 4 } } });
	site.happens({
		type: 'release',
		release: { requestId: 'recovery/one/a/run', stays: { onHost: { memoryMiB: 4 }, afterReport: 5 } },
	});
	assert.equal(capacityOf(site, 'host/kvm1/memoryMiB'), 4);
});

test('`force-release` takes lease or place away, says who and why, and charges what lasts until the host has reported', () => {
	const site = memorySite();
	const request = leaseRequest('one', memory);
	site.acquire(request);
	site.tick();
	const order = { type: 'force-release', requestId: 'recovery/one/a/run', by: 'ann', reason: 'stuck' } as const;
	assert.deepEqual(site.happens(order), [
		{ type: 'revoke', holder: request.holder, requestId: order.requestId, by: 'ann', reason: 'stuck' },
	]);
	assert.deepEqual(site.held(), []);
	assert.equal(capacityOf(site, 'host/kvm1/memoryMiB'), 4);
	assert.equal(capacityOf(site, 'host/kvm1/recoveries'), 8);
	// The host says that it runs there nevertheless: it is not leased again, and its memory is taken.
	const held = [{ request, host: 'kvm1', token: 7 }];
	site.report('host/kvm1', { memoryMiB: 8, recoveries: 8 }, { held });
	assert.deepEqual(site.held(), []);
	assert.equal(capacityOf(site, 'host/kvm1/memoryMiB'), 4);
	site.report('host/kvm1', { memoryMiB: 8, recoveries: 8 });
	assert.equal(capacityOf(site, 'host/kvm1/memoryMiB'), 8);
	assert.deepEqual(site.happens(order), []);
});

test('`leaseRequestSchema` wants hosts with demands, demands without hosts of others, and one resource at least', () => {
	const request = leaseRequest('web', { shared: { 'repository/main/mounts': 1 } });
	const refused = [
		{ shared: {} },
		{ hosts: ['kvm1'] },
		{ onHost: { memoryMiB: 1 } },
		{ hosts: ['kvm1', 'kvm1'], onHost: { memoryMiB: 1 } },
		{ shared: { 'host/kvm1/memoryMiB': 1 } },
		{ shared: { 'repository/main/mounts': 0 } },
		{ lasting: ['memoryMiB'] },
		{ priority: 0 },
		{ more: 1 },
	];
	for (const changes of refused) {
		assert.equal(leaseRequestSchema.safeParse({ ...request, ...changes }).success, false, JSON.stringify(changes));
	}
});
