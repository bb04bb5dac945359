import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchLimits, batchPlanSchema } from '../../model/batch.ts';
import { planObjection } from '../../model/batch-requests.ts';
import { dehydrate } from '../../workflows/batch/dehydrate.ts';
import { layoutOf } from '../../workflows/batch/layout.ts';
import { rehydrate } from '../../workflows/batch/rehydrate.ts';
import type { BatchState, Item } from '../../workflows/batch/state.ts';
import { asked, BatchSite, batchPlan, recoveryIdOf } from '../equipment/batch-site.ts';

function lived(): BatchSite {
	const site = new BatchSite(batchPlan({ all: ['one', 'two', 'three'], next: ['four'] }, { after: { next: ['all'] } }));
	site.go();
	site.ready('one');
	site.nowMs += 1_234;
	site.news('two', 'not_ready', { code: 'timeout', reason: 'silent' });
	site.failed('three');
	site.happens({ type: 'retry', asked });
	return site;
}

test('`rehydrate` of what `dehydrate` gives, by way of JSON, is the same state', () => {
	const site = lived();
	const before = site.state;
	site.continueAsNew();
	assert.deepEqual(site.state, before);
	assert.deepEqual(site.go(), ['three']);
});

test('`rehydrate` refuses a newer version, unknown fields, and the state of another plan', () => {
	const { state, layout } = lived();
	const durable = dehydrate(state);
	const refused = { code: 'input_invalid' };
	assert.throws(() => rehydrate({ ...durable, version: 2, more: 1 }, layout), { ...refused, message: /version 1/ });
	assert.throws(() => rehydrate({ ...durable, more: 1 }, layout), { ...refused, message: /more/ });
	assert.throws(() => rehydrate({ ...durable, reasons: [] }, layout), refused);
	assert.throws(() => rehydrate(durable, layoutOf(batchPlan({ all: ['one'] }))), {
		...refused,
		message: /4 items, not 1/,
	});
	assert.throws(() => rehydrate(undefined, layout), refused);
});

const long = (prefix: string, number: number, length: number) => `${prefix}${number}`.padEnd(length, 'x');

/** Every item with names as long as they may be, a point and an address of its own, and a past. */
function largest() {
	const groupName = (number: number) => long('g', number % batchLimits.groups, 40);
	return {
		...batchPlan({ any: [] }),
		groups: Array.from({ length: batchLimits.groups }, (_, number) => ({
			name: groupName(number),
			after: Array.from({ length: number }, (_each, other) => groupName(other)).slice(0, 3),
		})),
		items: Array.from({ length: batchLimits.items }, (_, number) => ({
			name: long('r', number, 40),
			group: groupName(number),
			requestHash: 'c'.repeat(64),
			differs: {
				machine: long('m', number, 40),
				machineName: long('n', number, 40),
				restorePoint: '2026-11-20T03:00:00.000Z',
				manifestDigest: 'd'.repeat(64),
				readiness: {
					check: { by: 'tcp' as const, address: '2001:db8:1234:5678::1', port: 65_535 },
					timeoutMs: 600_000,
				},
			},
		})),
	};
}

test('`dehydrate` of 2,000 items, each with a reason of its own, fits into a payload with the largest plan', () => {
	const plan = batchPlanSchema.parse(largest());
	const site = new BatchSite(plan);
	const nowMs = site.nowMs + 7 * 86_400_000;
	const worst = (item: Item, index: number): Item => ({
		...item,
		state: 'not_ready',
		phase: 'switching',
		recoveryId: recoveryIdOf(`${index}`),
		past: [recoveryIdOf(`${index}`, 2)],
		number: nowMs,
		code: 'store_unreachable',
		reason: long('r', index, 150),
		startedMs: nowMs,
		heardMs: nowMs,
		looked: true,
		late: true,
		owes: ['retry'],
	});
	const state: BatchState = { ...site.state, items: site.state.items.map(worst) };
	const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
	const stateBytes = bytesOf(dehydrate(state));
	assert.equal(planObjection(plan), undefined);
	assert.ok(stateBytes + bytesOf(plan) < 1.75 * 1024 * 1024, `${stateBytes} bytes of state`);
	assert.ok(stateBytes + batchLimits.planBytes < 2 * 1024 * 1024, `${stateBytes} bytes of state`);
});
