import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeaseRequest } from '../../model/broker.ts';
import { explain } from '../../workflows/broker/explain.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

const minute = 60_000;

function onPool(machine: string, memoryMiB: number, changes: Partial<LeaseRequest> = {}): LeaseRequest {
	return leaseRequest(machine, { hosts: ['kvm1', 'kvm2'], onHost: { memoryMiB }, ...changes });
}

function twoHosts(): BrokerSite {
	return new BrokerSite({ 'host/kvm1': { memoryMiB: 10 }, 'host/kvm2': { memoryMiB: 10 } });
}

function on(host: string, machine: string, memoryMiB: number, expectedMs = minute): LeaseRequest {
	return leaseRequest(machine, { hosts: [host], onHost: { memoryMiB }, expectedMs });
}

test('`tick` over a pool takes the host that is left with most, and the first of equals', () => {
	const site = twoHosts();
	site.acquire(onPool('a', 4), onPool('b', 1), onPool('c', 2), onPool('d', 2));
	assert.deepEqual(site.tick(), ['a@kvm1', 'b@kvm2', 'c@kvm2', 'd@kvm2']);
});

test('`tick` over a pool reserves on one host alone, where the request can start soonest', () => {
	const site = twoHosts();
	const [long, short] = [on('kvm1', 'long', 6, 10 * minute), on('kvm2', 'short', 6, 5 * minute)];
	site.acquire(long, short);
	site.tick();
	site.acquire(onPool('pool', 8), on('kvm1', 'one', 4), on('kvm2', 'two', 4));
	assert.deepEqual(site.tick(), ['one@kvm1']);
	site.release(short);
	assert.deepEqual(site.tick(), ['pool@kvm2']);
});

test('`tick` over a pool grants where there is room, also when it had reserved elsewhere', () => {
	for (const ageMs of [0, 60 * minute]) {
		const site = twoHosts();
		const [long, short] = [on('kvm1', 'long', 6, 10 * minute), on('kvm2', 'short', 6, 5 * minute)];
		site.acquire(long, short);
		site.tick();
		site.acquire(onPool('pool', 8, { sinceMs: site.nowMs - ageMs }));
		site.tick();
		site.release(long);
		assert.deepEqual(site.tick(), ['pool@kvm1']);
	}
});

test('`tick` over a pool keeps the eldest on its host, wherever it would be sooner by newer estimates', () => {
	for (const hosts of [
		['kvm1', 'kvm2'],
		['kvm2', 'kvm1'],
	]) {
		assert.deepEqual(hostsOver(0, hosts), ['kvm1', 'kvm2']);
		assert.deepEqual(hostsOver(50 * minute, hosts), ['kvm1', 'kvm1']);
	}
});

/** Where a request of that age reserves, before and after `first` has outlived its estimate. */
function hostsOver(ageMs: number, hosts: string[]): (string | null | undefined)[] {
	const site = twoHosts();
	site.acquire(on('kvm1', 'first', 6, 5 * minute), on('kvm2', 'second', 6, 10 * minute));
	site.tick();
	site.acquire(onPool('pool', 8, { hosts, sinceMs: site.nowMs - ageMs }));
	return [0, 9.9 * minute].map(afterMs => {
		site.tick(afterMs);
		site.continueAsNew();
		return explain(site.state, site.nowMs, 1).waiting[0]?.host;
	});
}

test('`tick` over a pool leaves a host that can no longer bear the request', () => {
	const site = twoHosts();
	site.acquire(on('kvm1', 'first', 6, minute), on('kvm2', 'second', 6, 100 * minute));
	site.tick();
	site.acquire(onPool('pool', 8, { sinceMs: site.nowMs - 60 * minute }));
	site.tick();
	site.report('host/kvm1', { memoryMiB: 7 });
	site.tick();
	const [waiting] = explain(site.state, site.nowMs, 1).waiting;
	assert.equal(waiting?.host, 'kvm2');
});
