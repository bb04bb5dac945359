import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { LeaseRequest } from '../../model/broker.ts';
import { inOrder } from '../../workflows/broker/order.ts';
import type { BrokerState } from '../../workflows/broker/state.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

const minute = 60_000;
const total = 6;
const totals = { 'repository/main': { mounts: total, streams: total }, 'host/kvm1': { recoveries: total } };

const weights = fc
	.tuple(fc.nat(total), fc.nat(total), fc.nat(total))
	.filter(all => all.some(weight => weight > 0))
	.map(([mounts, streams, recoveries]) => ({
		shared: positive({ 'repository/main/mounts': mounts, 'repository/main/streams': streams }),
		onHost: positive({ recoveries }),
	}));

function positive(all: Record<string, number>): Record<string, number> {
	return Object.fromEntries(Object.entries(all).filter(([, weight]) => weight > 0));
}

function requestOf(machine: string, { shared, onHost }: Pick<LeaseRequest, 'shared' | 'onHost'>, priority = 3) {
	return leaseRequest(machine, { shared, onHost, hosts: Object.keys(onHost).length > 0 ? ['kvm1'] : [], priority });
}

/** By resource, whatever host: there is one. */
function demandsOf({ shared, onHost }: LeaseRequest): Record<string, number> {
	return { ...shared, ...onHost };
}

test('`tick` grants nothing that a request before it, which waits on, needs', () => {
	const steps = fc.array(fc.record({ weights, priority: fc.integer({ min: 1, max: 5 }), releases: fc.nat(2) }), {
		minLength: 5,
		maxLength: 60,
	});
	fc.assert(
		fc.property(steps, all => {
			const site = new BrokerSite(totals);
			all.forEach((step, number) => {
				site.nowMs += minute;
				for (const [requestId] of [...site.state.leases].slice(0, step.releases)) {
					site.happens({ type: 'release', release: { requestId, stays: null } });
				}
				site.acquire({ ...requestOf(`m${number}`, step.weights, step.priority), sinceMs: site.nowMs });
				const order = inOrder(site.state.waiters.values(), site.nowMs);
				site.tick();
				checkOrder(
					site.state,
					order.map(({ request, requestId }) => ({ request, requestId })),
				);
			});
		}),
		{ numRuns: 300 },
	);
});

/** For each granted one: of all that it took there is still enough for every one before it, once leases come back. */
function checkOrder(state: BrokerState, order: readonly { requestId: string; request: LeaseRequest }[]): void {
	const held: Record<string, number> = {};
	for (const { request } of state.leases.values()) {
		for (const [resource, weight] of Object.entries(demandsOf(request)))
			held[resource] = (held[resource] ?? 0) + weight;
	}
	order.forEach(({ requestId, request }, place) => {
		if (!state.leases.has(requestId)) return;
		for (const before of order.slice(0, place).filter(earlier => state.waiters.has(earlier.requestId))) {
			for (const resource of Object.keys(demandsOf(request))) {
				const needed = demandsOf(before.request)[resource];
				if (needed === undefined) continue;
				const text = `${requestId} took of ${resource} what ${before.requestId} waits for`;
				assert.ok((held[resource] ?? 0) + needed <= total, text);
			}
		}
	});
}

test('`tick` grants the widest request of the lowest priority in an endless stream of urgent ones', () => {
	const stream = fc.array(weights, { minLength: 20, maxLength: 20 });
	fc.assert(
		fc.property(stream, fc.integer({ min: 1, max: 3 }), (all, heldFor) => {
			const site = new BrokerSite(totals);
			const wide = requestOf('wide', { shared: { 'repository/main/mounts': total }, onHost: { recoveries: total } }, 5);
			// It is passed by what comes within 50 minutes, at most: 55 requests of 3 minutes each.
			for (let passed = 0; passed < 240; passed += 1) {
				site.nowMs += minute;
				for (const [requestId, { grantedMs }] of site.state.leases) {
					if (site.nowMs < grantedMs + heldFor * minute) continue;
					site.happens({ type: 'release', release: { requestId, stays: null } });
				}
				if (passed === 5) site.acquire({ ...wide, sinceMs: site.nowMs });
				const next = all[passed % all.length];
				assert.ok(next);
				site.acquire({ ...requestOf(`m${passed}`, next, 1), deadlineMs: site.nowMs, sinceMs: site.nowMs });
				if (site.tick().includes('wide@kvm1')) return;
			}
			assert.fail('never granted');
		}),
		{ numRuns: 100 },
	);
});
