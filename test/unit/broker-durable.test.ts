import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { brokerLimits, type LeaseRequest } from '../../model/broker.ts';
import { dehydrate } from '../../workflows/broker/dehydrate.ts';
import { rehydrate } from '../../workflows/broker/rehydrate.ts';
import { emptyBroker } from '../../workflows/broker/state.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';
import { BrokerWorld } from '../equipment/broker-world.ts';

const totals = {
	'repository/main': { mounts: 2 },
	'host/kvm1': { recoveries: 1, memoryMiB: 8 },
	'host/kvm2': { recoveries: 1 },
};

test('`rehydrate` of what `dehydrate` gives, by way of JSON, is the same state', () => {
	fc.assert(
		fc.property(fc.nat(), fc.nat(80), (seed, steps) => {
			const plans = Array.from({ length: 12 }, (_, number) => ({
				request: leaseRequest(`m${number}`, {
					shared: number % 2 ? { 'repository/main/mounts': 1 } : {},
					hosts: number % 3 ? ['kvm1', 'kvm2'] : ['kvm1'],
					onHost: { recoveries: 1, ...(number % 3 ? {} : { memoryMiB: 4 }) },
					lasting: number % 3 ? [] : ['memoryMiB'],
				}),
				asksAt: number,
				holds: number,
			}));
			const world = new BrokerWorld(plans, totals, seed);
			for (let step = 0; step < steps; step += 1) world.step(true);
			const { state } = world.site;
			assert.deepEqual(rehydrate(JSON.parse(JSON.stringify(dehydrate(state)))), state);
		}),
		{ numRuns: 60, endOnFailure: true },
	);
});

test('`rehydrate` keeps what was set, what stays, orphans, which host is away and the order of what is over', () => {
	const site = new BrokerSite(totals);
	const request = leaseRequest('one', {
		hosts: ['kvm1'],
		onHost: { recoveries: 1, memoryMiB: 4 },
		lasting: ['memoryMiB'],
	});
	site.acquire(request);
	site.tick();
	site.happens({ type: 'holders-closed', holders: [request.holder] });
	site.happens({ type: 'set', resource: 'host/kvm1/recoveries', total: 3 });
	site.acquire({ ...request, step: 'run-2' });
	site.tick();
	site.happens({ type: 'host-away', host: 'kvm2', seenBy: 'recovery/one' });
	site.happens({ type: 'force-release', requestId: 'recovery/one/a/run-2', by: 'ann', reason: 'because' });
	const before = site.state;
	assert.equal(before.staying.length + before.set.size + before.ended.size, 3);
	site.continueAsNew();
	assert.deepEqual(site.state, before);
	assert.deepEqual([...site.state.ended], [...before.ended]);
});

test('`rehydrate` refuses a newer version, unknown fields, and a request that could not have been asked', () => {
	const site = new BrokerSite(totals);
	site.acquire(leaseRequest('one', { hosts: ['kvm1'], onHost: { recoveries: 1 } }));
	const durable = dehydrate(site.state);
	assert.throws(() => rehydrate({ ...durable, version: 3, more: 1 }), { code: 'input_invalid', message: /version 3/ });
	assert.throws(() => rehydrate({ ...durable, more: 1 }), { code: 'input_invalid', message: /more/ });
	assert.throws(() => rehydrate({ ...durable, names: [] }), { code: 'input_invalid' });
	assert.throws(() => rehydrate({ ...durable, names: durable.names.map(() => '.') }), { code: 'input_invalid' });
	assert.throws(() => rehydrate(undefined), { code: 'input_invalid' });
});

test('`dehydrate` of a full broker with names as long as they may be stays below the 2 MiB of a payload', () => {
	const long = (prefix: string, number: number, length: number) => `${prefix}${number}`.padEnd(length, 'x');
	const hosts = Array.from({ length: 200 }, (_, number) => long('h', number, 40));
	const request = (number: number): LeaseRequest =>
		leaseRequest('any', {
			holder: { workflowId: long('recovery/m', number, 84), firstRunId: long('r', number, 36) },
			step: long('run-', number, 20),
			shared: { [`repository/${long('r', number % 50, 40)}/mounts`]: 1, [`repository/${long('r', 0, 40)}/streams`]: 1 },
			hosts: Array.from({ length: brokerLimits.poolHosts }, (_, index) => hosts[(number + index) % 200] ?? ''),
			onHost: { recoveries: 1, memoryMiB: 1_000_000, vcpus: 100, migrations: 10 },
			lasting: ['memoryMiB', 'vcpus'],
			deadlineMs: 1_800_000_000_000,
			expectedMs: 31_536_000_000,
		});
	const state = emptyBroker(1_800_000_000_000, []);
	const [leases, waiters] = [new Map(), new Map()];
	for (let seq = 0; seq < brokerLimits.leases; seq += 1) {
		const each = { requestId: `${seq}`, request: request(seq), seq };
		const lease = { host: hosts[0], token: 1_800_000_000_000 + seq, grantedMs: 1_800_000_000_000 };
		leases.set(each.requestId, { ...each, ...lease, maybeKnown: true, orphanedMs: 1_800_000_000_000 });
		waiters.set(each.requestId, { ...each, reservesOn: hosts[0] });
	}
	const ended = new Map(
		Array.from(
			{ length: brokerLimits.ended },
			(_, number) => [long('recovery/', number, 142), 1_800_000_000_000] as const,
		),
	);
	const bytes = Buffer.byteLength(JSON.stringify(dehydrate({ ...state, leases, waiters, ended })));
	assert.ok(bytes < 2 * 1024 * 1024, `${bytes} bytes`);
});
