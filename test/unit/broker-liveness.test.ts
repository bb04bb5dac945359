import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestIdOf } from '../../model/broker.ts';
import type { BrokerEffect } from '../../workflows/broker/events.ts';
import { nextTickMs } from '../../workflows/broker/tick.ts';
import { askedAtOnce, brokerTimes } from '../../workflows/broker/times.ts';
import { BrokerSite, hostIdOf, leaseRequest } from '../equipment/broker-site.ts';

const onHost = { hosts: ['kvm1'], onHost: { recoveries: 1 } };
const one = leaseRequest('one', onHost);
const two = leaseRequest('two', onHost);

/** `one` holds the only place, `two` waits. */
function contended(): BrokerSite {
	const site = new BrokerSite({ 'host/kvm1': { recoveries: 1 }, 'repository/main': { mounts: 1 } });
	site.acquire(one, two);
	site.tick();
	return site;
}

function sweepOf(site: BrokerSite): BrokerEffect[] {
	site.nowMs += brokerTimes.sweep;
	return site.happens({ type: 'tick' });
}

test('`tick` asks whether holders are open, once a minute, while somebody waits', () => {
	const site = contended();
	assert.deepEqual(sweepOf(site), [{ type: 'ask-holders', holders: [one.holder, two.holder] }]);
	assert.equal(nextTickMs(site.state), site.nowMs + brokerTimes.sweep);
	site.nowMs += brokerTimes.sweep - 1;
	assert.deepEqual(site.happens({ type: 'tick' }), []);
	site.release(two);
	assert.deepEqual(sweepOf(site), []);
	assert.equal(nextTickMs(site.state), null);
});

test('`tick` asks many holders a part at a time, and begins again when all were asked', () => {
	const site = new BrokerSite({ 'host/kvm1': { recoveries: 1 } });
	const request = (number: number) => leaseRequest(`m${number}`, { hosts: ['kvm1'], onHost: { recoveries: 1 } });
	for (let number = 0; number < askedAtOnce + 100; number += 1) site.acquire(request(number));
	const asked = () => {
		const [effect] = sweepOf(site).filter(({ type }) => type === 'ask-holders');
		assert.ok(effect?.type === 'ask-holders');
		return [effect.holders.length, effect.holders[0]?.workflowId];
	};
	site.tick();
	assert.deepEqual(asked(), [askedAtOnce, 'recovery/m0']);
	site.continueAsNew();
	assert.deepEqual(asked(), [100, `recovery/m${askedAtOnce}`]);
	assert.deepEqual(asked(), [askedAtOnce, 'recovery/m0']);
});

test('`holders-closed` withdraws who waits; a lease stays until its host says that nothing of it runs', () => {
	const site = contended();
	site.acquire(leaseRequest('three', onHost));
	const closed = { type: 'holders-closed', holders: [one.holder, two.holder] } as const;
	const question = { type: 'ask-host', host: 'kvm1', hostId: hostIdOf('host/kvm1'), requestIds: [requestIdOf(one)] };
	assert.deepEqual(site.happens(closed), [question]);
	assert.deepEqual(site.happens(closed), []);
	assert.deepEqual([site.tick(), site.held(), site.waiting()], [[], ['one'], ['three']]);
	site.continueAsNew();
	// The host did not answer: it is asked again, the holder is not.
	assert.deepEqual(sweepOf(site), [{ type: 'ask-holders', holders: [leaseRequest('three', onHost).holder] }, question]);
	site.happens({ type: 'host-confirmed', host: 'kvm1', requestId: requestIdOf(one) });
	assert.deepEqual(site.tick(), ['three@kvm1']);
});

test('`holders-closed` ends a lease at once that is on no host', () => {
	const site = contended();
	const reader = leaseRequest('reader', { shared: { 'repository/main/mounts': 1 } });
	site.acquire(reader);
	assert.deepEqual(site.tick(), ['reader']);
	assert.deepEqual(site.happens({ type: 'holders-closed', holders: [reader.holder] }), []);
	assert.deepEqual(site.held(), ['one']);
});

test('`holders-closed` of another run of the same workflow id touches nothing', () => {
	const site = contended();
	site.happens({ type: 'holders-closed', holders: [{ ...one.holder, firstRunId: 'b' }] });
	site.happens({ type: 'host-confirmed', host: 'kvm1', requestId: requestIdOf(one) });
	assert.deepEqual(site.held(), ['one']);
});

test('A host that has never reported is not asked: where it is, is not known', () => {
	const site = contended();
	site.happens({ type: 'forget', reporter: 'host/kvm1' });
	assert.deepEqual(site.happens({ type: 'holders-closed', holders: [one.holder] }), []);
	site.report('host/kvm1', { recoveries: 1 });
	const [, question] = sweepOf(site);
	assert.deepEqual(question, {
		type: 'ask-host',
		host: 'kvm1',
		hostId: hostIdOf('host/kvm1'),
		requestIds: [requestIdOf(one)],
	});
});

test('`host-confirmed` by another host, or of an open holder, gives nothing back', () => {
	const site = contended();
	site.happens({ type: 'host-confirmed', host: 'kvm1', requestId: requestIdOf(one) });
	site.happens({ type: 'holders-closed', holders: [one.holder] });
	site.happens({ type: 'host-confirmed', host: 'kvm2', requestId: requestIdOf(one) });
	assert.deepEqual(site.held(), ['one']);
});

test('`report` without a lease that the host had accepted ends it; one that it has not accepted yet stays', () => {
	const site = contended();
	site.report('host/kvm1', { recoveries: 1 });
	assert.deepEqual(site.held(), ['one']);
	const token = site.state.leases.get(requestIdOf(one))?.token ?? 0;
	site.report('host/kvm1', { recoveries: 1 }, { held: [{ request: one, host: 'kvm1', token }] });
	site.continueAsNew();
	assert.deepEqual(site.held(), ['one']);
	site.report('host/kvm1', { recoveries: 1 }, { partial: true });
	assert.deepEqual(site.held(), ['one'], 'the host cannot read all that it has');
	site.report('host/kvm1', { recoveries: 1 });
	assert.deepEqual(site.tick(), ['two@kvm1']);
	assert.equal(site.state.ended.has(requestIdOf(one)), true);
});

test('`undelivered` of the only message about a grant gives it to the next', () => {
	const site = contended();
	const token = site.state.leases.get(requestIdOf(one))?.token ?? 0;
	assert.deepEqual(
		site.happens({ type: 'undelivered', requestId: requestIdOf(one), token: token + 1, once: true }),
		[],
	);
	assert.deepEqual(site.tick(), []);
	site.happens({ type: 'undelivered', requestId: requestIdOf(one), token, once: true });
	assert.deepEqual(site.tick(), ['two@kvm1']);
});

test('`undelivered` of one of several messages leaves the lease to its host', () => {
	for (const { again, once } of [
		{ again: true, once: true },
		{ again: false, once: false },
	]) {
		const site = contended();
		const token = site.state.leases.get(requestIdOf(one))?.token ?? 0;
		if (again) site.acquire(one);
		assert.deepEqual(site.happens({ type: 'undelivered', requestId: requestIdOf(one), token, once }), [
			{ type: 'ask-host', host: 'kvm1', hostId: hostIdOf('host/kvm1'), requestIds: [requestIdOf(one)] },
		]);
		assert.deepEqual(site.tick(), []);
	}
});
