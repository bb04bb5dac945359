/** Requests that are over, and that the broker has forgotten: a history that was put back asks by the same words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { brokerLimits, type LeaseRequest, requestIdOf, stepBefore } from '../../model/broker.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

const many = 10_000;
const pool = { hosts: ['kvm1', 'kvm2'], onHost: { recoveries: 1 } };

function site(): BrokerSite {
	return new BrokerSite({ 'host/kvm1': { recoveries: many }, 'host/kvm2': { recoveries: many } });
}

/** What the broker says to it at once. */
function ask(broker: BrokerSite, request: LeaseRequest): string {
	const [effect] = broker.happens({ type: 'acquire', request });
	const granted = broker.tick().length > 0;
	return effect?.type === 'refuse' ? effect.code : granted || effect?.type === 'grant' ? 'granted' : 'waits';
}

/** Begun later than all before, and over. */
function forgetAllBefore(broker: BrokerSite): void {
	for (let number = 0; number <= brokerLimits.ended; number += 1) {
		broker.nowMs += 1;
		const request = leaseRequest(`filler${number}`, { ...pool, sinceMs: broker.nowMs });
		assert.equal(ask(broker, request), 'granted');
		broker.release(request);
	}
}

test('`acquire` of what was had over a pool is refused for good, whatever the broker remembers, and new ones are not', () => {
	fc.assert(
		fc.property(
			fc.array(fc.record({ holds: fc.nat(30), steps: fc.integer({ min: 1, max: 3 }) }), {
				minLength: 5,
				maxLength: 15,
			}),
			lives => {
				const broker = site();
				const had: LeaseRequest[] = [];
				const held: { request: LeaseRequest; left: number }[] = [];
				for (const [number, { holds, steps }] of lives.entries()) {
					broker.nowMs += 1;
					const sinceMs = broker.nowMs;
					for (let step = 1; step <= steps; step += 1) {
						const request = leaseRequest(`m${number}`, { ...pool, sinceMs, step: step === 1 ? 'run' : `run-${step}` });
						assert.equal(ask(broker, request), 'granted', 'it goes on');
						had.push(request);
						if (step < steps) broker.release(request);
						else held.push({ request, left: holds });
					}
					for (const one of held) if ((one.left -= 1) === 0) broker.release(one.request);
				}
				for (const { request } of held) broker.release(request);
				forgetAllBefore(broker);
				broker.continueAsNew();
				for (const request of had) {
					assert.equal(broker.state.ended.has(requestIdOf(request)), false);
					assert.equal(ask(broker, request), 'may_be_over');
				}
				assert.deepEqual(broker.held(), []);
				broker.nowMs += 1;
				assert.equal(ask(broker, leaseRequest('new', { ...pool, sinceMs: broker.nowMs })), 'granted');
			},
		),
		{ numRuns: 8, endOnFailure: true },
	);
});

test('a recovery that has waited for long gets its next place, however many that began later are over', () => {
	const broker = site();
	const first = leaseRequest('old', { ...pool, sinceMs: broker.nowMs });
	ask(broker, first);
	forgetAllBefore(broker);
	assert.equal(ask(broker, first), 'granted', 'it is held, and known');
	broker.release(first);
	assert.equal(ask(broker, { ...first, step: 'run-2' }), 'granted');
});

test('one that asks for the first time after many that began later are over gets its place when it asks as of now', () => {
	const broker = site();
	const late = leaseRequest('late', { ...pool, sinceMs: broker.nowMs });
	forgetAllBefore(broker);
	assert.equal(ask(broker, late), 'may_be_over');
	broker.nowMs += 1;
	assert.equal(ask(broker, { ...late, step: 'run-2', sinceMs: broker.nowMs }), 'granted');
});

test('where one host alone was asked for, what was forgotten is granted: that host knows what it has', () => {
	const broker = site();
	const alone = leaseRequest('one', { hosts: ['kvm1'], onHost: { recoveries: 1 }, sinceMs: broker.nowMs });
	ask(broker, alone);
	broker.release(alone);
	forgetAllBefore(broker);
	assert.equal(ask(broker, alone), 'granted');
});

test('`stepBefore` is the step with the number before', () => {
	assert.deepEqual(['run', 'run-2', 'run-3', 'migrate-11'].map(stepBefore), [null, 'run', 'run-2', 'migrate-10']);
});
