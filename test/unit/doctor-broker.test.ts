import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokerFindings } from '../../cli/doctor/findings-broker.ts';
import type { Facts } from '../../cli/doctor/facts.ts';
import { explain } from '../../workflows/broker/explain.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

const minute = 60_000;
const onHost = { hosts: ['kvm1'], onHost: { recoveries: 1 } };

/** What `doctor` finds so many minutes later: code and subject. */
function found(site: BrokerSite, minutes: number): string[] {
	site.nowMs += minutes * minute;
	return findingsOf(explain(site.state, site.nowMs, 100));
}

function findingsOf(broker: Facts['broker']): string[] {
	return brokerFindings({ broker } as Facts).map(({ code, subject }) => `${code} ${subject}`);
}

/** A site on which `one` has the only place and `two` waits. */
function contended(): BrokerSite {
	const site = new BrokerSite({ 'host/kvm1': { recoveries: 1 } });
	site.acquire(...['one', 'two'].map(machine => leaseRequest(machine, { ...onHost, sinceMs: site.nowMs })));
	site.tick();
	return site;
}

test('`brokerFindings` finds nothing where requests wait their turn, and where nobody answers for the broker', () => {
	assert.deepEqual(found(contended(), 30), []);
	assert.deepEqual(findingsOf(undefined), []);
});

test('`brokerFindings` finds a broker that cannot go on, and one that has not heard what is held', () => {
	assert.deepEqual(findingsOf({ failedTasks: 12 }), ['broker_stuck broker']);
	const site = new BrokerSite();
	assert.deepEqual([found(site, 1), found(site, 5)], [[], ['broker_rebuilding broker']]);
});

test('`brokerFindings` finds a lease of a recovery that is gone once its host has been silent for minutes', () => {
	const site = contended();
	site.happens({ type: 'holders-closed', holders: [{ workflowId: 'recovery/one', firstRunId: 'a' }] });
	assert.deepEqual([found(site, 1), found(site, 5)], [[], ['lease_orphaned recovery/one/a/run']]);
});

test('`brokerFindings` tells once of each resource that nobody reports, or of which there is too little', () => {
	const site = contended();
	const sinceMs = site.nowMs;
	for (const machine of ['lost', 'last']) {
		site.acquire(leaseRequest(machine, { hosts: ['kvm9'], onHost: { recoveries: 1 }, sinceMs }));
	}
	site.acquire(leaseRequest('wide', { hosts: ['kvm1'], onHost: { recoveries: 2 }, sinceMs }));
	site.tick();
	assert.deepEqual(found(site, 1), []);
	const unmet = ['resource_unmet host/kvm9/recoveries', 'resource_unmet host/kvm1/recoveries'];
	assert.deepEqual(found(site, 5), unmet);
});

test('`brokerFindings` says why a host takes no new copies, when somebody waits for one', () => {
	const site = new BrokerSite({ 'host/kvm1': { migrations: 1 } });
	const reduced = 'the datastore was at 27 ms, above 20 ms: no new migration';
	site.report('host/kvm1', {}, { resources: { migrations: { total: 0, outside: 0, reduced } } });
	site.acquire(leaseRequest('late', { hosts: ['kvm1'], onHost: { migrations: 1 }, sinceMs: site.nowMs }));
	site.tick();
	site.nowMs += 5 * minute;
	const broker = explain(site.state, site.nowMs, 100);
	const finding = brokerFindings({ broker } as Facts).find(({ code }) => code === 'resource_unmet');
	assert.ok(finding?.explanation.endsWith(`1 host/kvm1/migrations, ${reduced}`), finding?.explanation);
});
