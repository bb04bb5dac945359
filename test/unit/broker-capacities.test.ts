import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from '../../workflows/broker/explain.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

function stream(machine: string) {
	return leaseRequest(machine, { hosts: ['kvm1'], onHost: { migrations: 1 } });
}

test('`report` that is late or repeated changes nothing', () => {
	const site = new BrokerSite({ 'host/kvm1': { migrations: 1 } });
	const report = (number: number, total: number) =>
		site.report('host/kvm1', {}, { number, resources: { migrations: { total, outside: 0 } } });
	report(9, 2);
	report(8, 5);
	report(9, 5);
	site.acquire(stream('a'), stream('b'), stream('c'));
	assert.deepEqual(site.tick(), ['a@kvm1', 'b@kvm1']);
});

test('`report` without a resource makes it unknown, and what is outside is not granted', () => {
	const site = new BrokerSite({ 'host/kvm1': { migrations: 4 } });
	site.report('host/kvm1', {}, { resources: { migrations: { total: 4, outside: 3 } } });
	site.acquire(stream('a'), stream('b'));
	assert.deepEqual(site.tick(), ['a@kvm1']);
	site.release(stream('a'));
	site.report('host/kvm1', { recoveries: 4 });
	assert.deepEqual(site.tick(), []);
});

test('`report` of a host with leases of another one charges that one with nothing', () => {
	const site = new BrokerSite({ 'host/kvm1': { migrations: 1 }, 'host/kvm2': { migrations: 1 } });
	const lie = { request: stream('x'), host: 'kvm1', token: 1 };
	site.report('host/kvm2', { migrations: 1 }, { held: [lie] });
	assert.deepEqual(site.held(), []);
	site.acquire(stream('a'));
	assert.deepEqual(site.tick(), ['a@kvm1']);
});

test('`set` stands above reports until it is taken back; leases above it end by themselves', () => {
	const site = new BrokerSite({ 'host/kvm1': { migrations: 2 } });
	const all = ['a', 'b', 'c', 'd'].map(stream);
	site.acquire(...all);
	assert.deepEqual(site.tick(), ['a@kvm1', 'b@kvm1']);
	site.happens({ type: 'set', resource: 'host/kvm1/migrations', total: 1 });
	site.report('host/kvm1', { migrations: 4 });
	site.release(stream('a'));
	assert.deepEqual([site.tick(), site.held()], [[], ['b']]);
	site.release(stream('b'));
	assert.deepEqual(site.tick(), ['c@kvm1']);
	site.happens({ type: 'set', resource: 'host/kvm1/migrations', total: null });
	assert.deepEqual(site.tick(), ['d@kvm1']);
});

test('`report` of a total that is reduced grants nothing new, and says why, until a report without it', () => {
	const site = new BrokerSite({ 'host/kvm1': { migrations: 4 } });
	const reduced = 'the datastore was at 27 ms, above 20 ms: no new migration';
	site.acquire(stream('a'));
	assert.deepEqual(site.tick(), ['a@kvm1']);
	site.report('host/kvm1', {}, { resources: { migrations: { total: 1, outside: 0, reduced } } });
	site.acquire(stream('b'));
	assert.deepEqual(site.tick(), []);
	const said = () => explain(site.state, site.nowMs, 10);
	const ofMigrations = () => said().resources.find(({ resource }) => resource === 'host/kvm1/migrations')?.reduced;
	assert.equal(ofMigrations(), reduced);
	const [lack] = said().waiting[0]?.lacks ?? [];
	assert.deepEqual([lack?.resource, lack?.reduced], ['host/kvm1/migrations', reduced]);
	const before = site.state;
	site.continueAsNew();
	assert.deepEqual(site.state, before);
	site.happens({ type: 'set', resource: 'host/kvm1/migrations', total: 1 });
	assert.equal(ofMigrations(), undefined, 'a person has said how much it is');
	site.happens({ type: 'set', resource: 'host/kvm1/migrations', total: null });
	site.report('host/kvm1', { migrations: 4 });
	assert.deepEqual(site.tick(), ['b@kvm1']);
});

test('`set` of something that nobody reports makes it known', () => {
	const site = new BrokerSite({ 'host/kvm1': {} });
	site.acquire(stream('a'));
	assert.deepEqual(site.tick(), []);
	site.happens({ type: 'set', resource: 'host/kvm1/migrations', total: 1 });
	assert.deepEqual(site.tick(), ['a@kvm1']);
});

test('`forget` makes all of a host unknown and leaves its leases; a host of that name begins with any number', () => {
	const site = new BrokerSite({ 'host/kvm1': { migrations: 2 } });
	site.report('host/kvm1', { migrations: 2 }, { number: 50 });
	site.happens({ type: 'set', resource: 'host/kvm1/migrations', total: 2 });
	site.acquire(stream('a'));
	site.tick();
	site.happens({ type: 'forget', reporter: 'host/kvm1' });
	site.acquire(stream('b'));
	assert.deepEqual([site.tick(), site.held()], [[], ['a']]);
	site.report('host/kvm1', { migrations: 2 }, { number: 1 });
	assert.deepEqual(site.tick(), ['b@kvm1']);
});
