import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viewText } from '../../cli/broker/view-text.ts';
import { explain } from '../../workflows/broker/explain.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

const totals = { 'host/kvm1': { recoveries: 4 }, 'host/kvm2': { recoveries: 1 } };
const onPool = (machine: string) => leaseRequest(machine, { hosts: ['kvm1', 'kvm2'], onHost: { recoveries: 1 } });
const away = { type: 'host-away', host: 'kvm1', seenBy: 'recovery/web01' } as const;

test('`reduce` grants nothing new on a host that is away, before it reports again', () => {
	const site = new BrokerSite(totals);
	site.happens(away);
	site.acquire(onPool('a'), onPool('b'));
	assert.deepEqual(site.tick(), ['a@kvm2']);
	site.continueAsNew();
	assert.deepEqual(site.tick(60_000), []);
	site.report('host/kvm2', { recoveries: 1 });
	assert.deepEqual(site.tick(), [], 'another host speaks for itself alone');
	site.report('host/kvm1', { recoveries: 4 });
	assert.deepEqual(site.tick(), ['b@kvm1']);
});

test('a report of a host that is away counts only when it is newer than its last', () => {
	const site = new BrokerSite(totals);
	site.happens(away);
	site.report('host/kvm1', { recoveries: 4 }, { number: 1 });
	site.acquire(leaseRequest('a', { hosts: ['kvm1'], onHost: { recoveries: 1 } }));
	assert.deepEqual(site.tick(), []);
});

test('a host that is away keeps its leases, and what a person has set there grants nothing', () => {
	const site = new BrokerSite(totals);
	site.acquire(leaseRequest('a', { hosts: ['kvm1'], onHost: { recoveries: 1 } }));
	site.tick();
	site.happens(away);
	site.happens({ type: 'set', resource: 'host/kvm1/recoveries', total: 9 });
	site.acquire(leaseRequest('b', { hosts: ['kvm1'], onHost: { recoveries: 1 } }));
	assert.deepEqual([site.tick(), site.held()], [[], ['a']]);
});

test('`explain` says since when a host is away and who was first to see it, and `viewText` tells that', () => {
	const site = new BrokerSite(totals);
	site.happens(away);
	const sinceMs = site.nowMs;
	site.tick(30_000);
	site.happens({ ...away, seenBy: 'recovery/web02' });
	site.happens({ ...away, host: 'nobody' });
	site.acquire(leaseRequest('a', { hosts: ['kvm1'], onHost: { recoveries: 1 } }));
	const view = explain(site.state, site.nowMs, 10);
	assert.deepEqual(view.away, [{ reporter: 'host/kvm1', sinceMs, seenBy: 'recovery/web01' }]);
	assert.deepEqual(
		view.waiting[0]?.lacks.map(({ resource, why }) => [resource, why]),
		[['host/kvm1/recoveries', 'away']],
	);
	const text = viewText(view);
	assert.match(
		text,
		/host\/kvm1: away since .*, seen by web01\. Nothing new is granted there until it reports again\./,
	);
	assert.match(text, /host\/kvm1\/recoveries: its host is away, 1 wanted/);
});
