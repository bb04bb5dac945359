import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Stand, untilTaken } from '../../cli/recover/order-taken.ts';

const parked = { phase: 'migrating', status: { parked: { since: '2026-11-20T03:00:00.000Z' } }, pending: [] } as const;
const toldToHost = { phase: 'migrating', status: { parked: null }, pending: [{ step: 'retry' }] } as const;
const goesOn = { phase: 'migrating', status: { parked: null }, pending: [{ step: 'copySlice' }] } as const;
const parkedAnew = { ...parked, status: { parked: { since: '2026-11-20T03:05:00.000Z' } } };
const { signal } = new AbortController();

/** Counts how often it was looked at; the last that is seen stays. */
function recoveriesOf(...seen: readonly Stand[]) {
	const recoveries = {
		looks: 0,
		peek: async () => seen[recoveries.looks++] ?? seen.at(-1) ?? parked,
	};
	return recoveries;
}

test('the answer to `recover retry` waits until the recovery goes on and its host was told', async () => {
	const recoveries = recoveriesOf(parked, toldToHost, goesOn);
	await untilTaken(recoveries, 'web01-r1', { before: parked, signal });
	assert.equal(recoveries.looks, 3);
});

test('a recovery that is parked anew after a `retry` is an answer too', async () => {
	const recoveries = recoveriesOf(parked, parkedAnew);
	await untilTaken(recoveries, 'web01-r1', { before: parked, signal });
	assert.equal(recoveries.looks, 2);
});

test('an order that moves nothing in time is answered all the same', async () => {
	await untilTaken(recoveriesOf(parked), 'web01-r1', { before: parked, signal, limitMs: 0 });
});

test('Ctrl-C ends the wait for what an order does', async () => {
	const interrupted = AbortSignal.abort(new Error('enough'));
	const waited = untilTaken(recoveriesOf(parked), 'web01-r1', { before: parked, signal: interrupted });
	await assert.rejects(waited, { message: 'enough' });
});
