/** What a host does for a drill without being asked twice, and for no other recovery. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeRequest } from '../equipment/recovery-request.ts';
import { simulate } from '../equipment/simulated-recovery.ts';

const drill = { name: 'weekly' };

test("`discard` for a drill leaves a recovery alone that is none, or another drill's", async t => {
	const { plan, recovery } = await simulate(t);
	const request = makeRequest({ repository: plan.repository });
	await recovery.step('reserve', { limit: 1, request });
	await assert.rejects(recovery.step('discard', { drill }), { code: 'identity_conflict' });
	await recovery.run();
	await assert.rejects(recovery.step('discard', { drill }), { code: 'identity_conflict' });
	const { state, power } = await recovery.view();
	assert.deepEqual([state, power], ['active', 'on']);
	await recovery.step('discard', {});
});

test('`discard` for a drill removes what that drill has, and is answered again when it is gone', async t => {
	const { plan, recovery } = await simulate(t);
	recovery.plan = { ...plan, drill };
	await recovery.step('reserve', { limit: 1, request: makeRequest({ repository: plan.repository, drill }) });
	await recovery.run();
	await assert.rejects(recovery.step('discard', { drill: { name: 'other' } }), { code: 'identity_conflict' });
	await assert.rejects(recovery.step('migrate-chunks', { maxRateBytes: 0 }), { code: 'phase_wrong' });
	await recovery.step('discard', { drill });
	await recovery.step('discard', { drill });
	await assert.rejects(recovery.view(), { code: 'recovery_unknown' });
});

test('`discard` for a drill removes a place of which nothing was told yet', async t => {
	const { recovery } = await simulate(t);
	await recovery.step('reserve', { limit: 1 });
	await recovery.step('discard', { drill });
	await assert.rejects(recovery.view(), { code: 'recovery_unknown' });
});

test("`allocate` refuses a plan that is a drill's where the request was none, and one that leads anywhere", async t => {
	const { plan, recovery } = await simulate(t);
	await recovery.step('reserve', { limit: 1, request: makeRequest({ repository: plan.repository }) });
	await assert.rejects(recovery.step('allocate', { plan: { ...plan, drill } }), { code: 'identity_conflict' });
	await recovery.step('discard', {});
	const other = await simulate(t);
	const nics = [{ mac: '52:54:00:00:00:01', network: 'lan', target: 'lan' }];
	await assert.rejects(other.recovery.step('allocate', { plan: { ...other.plan, drill, nics } }), {
		code: 'config_invalid',
	});
});
