import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from '../../workflows/broker/explain.ts';
import { emptyBroker } from '../../workflows/broker/state.ts';
import { nextTickMs } from '../../workflows/broker/tick.ts';
import { brokerTimes } from '../../workflows/broker/times.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

const mount = { 'repository/main/mounts': 1 };
const running = leaseRequest('running', { shared: mount, hosts: ['kvm1'], onHost: { recoveries: 1 } });
const next = leaseRequest('next', { shared: mount });

function emptySite(...reporters: string[]): BrokerSite {
	const site = new BrokerSite();
	site.state = emptyBroker(site.nowMs, ['repository/main', ...reporters]);
	site.report('repository/main', { mounts: 1 });
	site.acquire(next);
	return site;
}

test('a broker that comes up empty grants nothing before all have reported and the open recoveries have told', () => {
	const site = emptySite('host/kvm1');
	assert.deepEqual(site.tick(), []);
	site.report('host/kvm1', { recoveries: 1 });
	assert.deepEqual(site.tick(), []);
	const view = explain(site.state, site.nowMs, 1);
	assert.deepEqual(view.rebuilding, { sinceMs: site.nowMs, silent: [], listed: false });
	assert.equal(view.waiting[0]?.estimatedStartMs, null);
	site.happens({ type: 'listed', held: [] });
	assert.deepEqual(site.tick(), ['next']);
	assert.equal(explain(site.state, site.nowMs, 1).rebuilding, null);
});

test('`report` and `listed` bring back what is held, with its tokens, and nothing is granted on top of it', () => {
	for (const from of ['report', 'listed'] as const) {
		const site = emptySite('host/kvm1');
		const token = site.nowMs + 1_000_000;
		const held = [{ request: running, host: 'kvm1', token }];
		site.report('host/kvm1', { recoveries: 1 }, { held: from === 'report' ? held : [] });
		site.happens({ type: 'listed', held: from === 'listed' ? held : [] });
		assert.deepEqual([site.tick(), site.held()], [[], ['running']], from);
		site.release(running);
		assert.deepEqual(site.tick(), ['next']);
		assert.equal(site.state.leases.get('recovery/next/a/run')?.token, token + 1);
	}
});

test('a broker that comes up empty waits two minutes for hosts that are silent, and for the list without end', () => {
	const site = emptySite('host/kvm1');
	site.nowMs += brokerTimes.rebuild;
	assert.deepEqual(site.tick(), []);
	site.state = emptyBroker(site.nowMs, ['repository/main', 'host/kvm1']);
	site.report('repository/main', { mounts: 1 });
	site.acquire(next);
	site.happens({ type: 'listed', held: [] });
	assert.equal(nextTickMs({ ...site.state, waiters: new Map() }), site.nowMs + brokerTimes.rebuild);
	assert.deepEqual(site.tick(brokerTimes.rebuild - 1), []);
	assert.deepEqual(site.tick(1), ['next']);
});

test('`forget` of a host that is silent ends the waiting for it', () => {
	const site = emptySite('host/kvm1');
	site.happens({ type: 'listed', held: [] });
	assert.deepEqual(site.tick(), []);
	site.happens({ type: 'forget', reporter: 'host/kvm1' });
	assert.deepEqual(site.tick(), ['next']);
});

test('`report` of a lease for a request that waits here tells its holder the grant that it has', () => {
	const site = emptySite('host/kvm1');
	site.acquire(running);
	const held = [{ request: running, host: 'kvm1', token: 77 }];
	const report = { reporter: 'host/kvm1', number: 9, resources: { recoveries: { total: 1, outside: 0 } }, held };
	assert.deepEqual(site.happens({ type: 'report', report }), [
		{ type: 'grant', holder: running.holder, requestId: 'recovery/running/a/run', host: 'kvm1', token: 77 },
	]);
	assert.deepEqual([site.held(), site.waiting()], [['running'], ['next']]);
});

test('`report` and `listed` bring back nothing that was released since they were made', () => {
	const site = emptySite('host/kvm1');
	site.release(running);
	const held = [{ request: running, host: 'kvm1', token: 77 }];
	site.report('host/kvm1', { recoveries: 1 }, { held });
	site.happens({ type: 'listed', held });
	assert.deepEqual([site.tick(), site.held()], [['next'], ['next']]);
	// One that was asked for in an earlier rebuilding.
	site.happens({ type: 'listed', held: [{ request: leaseRequest('other', { shared: mount }), host: null, token: 5 }] });
	assert.deepEqual(site.held(), ['next']);
});

test('`report` of a lease that nobody knows is charged at any time, also above the capacity', () => {
	const site = emptySite('host/kvm1');
	site.report('host/kvm1', { recoveries: 1 });
	site.happens({ type: 'listed', held: [] });
	assert.deepEqual(site.tick(), ['next']);
	site.report('host/kvm1', { recoveries: 1 }, { held: [{ request: running, host: 'kvm1', token: 5 }] });
	site.acquire(leaseRequest('third', { shared: mount }));
	site.release(next);
	assert.deepEqual(site.tick(), []);
	site.release(running);
	assert.deepEqual(site.tick(), ['third']);
});
