import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { TypedSearchAttributes } from '@temporalio/common';
import type { Incident } from '../../model/recovery.ts';
import type { RecoveryView } from '../../supervisor/protocol.ts';
import { type HostReport, searchAttributes } from '../../workflows/contracts.ts';
import { forwardOnce, type Standing, standingOf, type Workflows } from '../../workers/forwarder.ts';
import { incidentsEveryMs, Reports, stateAgainMs, unheardEveryMs } from '../../workers/reports.ts';

const view = (changes: Partial<RecoveryView> = {}): RecoveryView => ({
	name: 'web01-r1',
	recoveryId: '5b0c3f0e-6d1f-4c56-9a3e-0d4c2d1b7a10',
	machineName: 'web01-r1',
	generation: 1,
	state: 'active',
	done: [],
	chain: 'mover',
	sealed: false,
	power: 'on',
	blocked: null,
	nics: [],
	disks: [],
	restored: false,
	copying: false,
	copyLimits: [],
	movers: [],
	switchPauseMs: null,
	firstReads: null,
	unpinned: null,
	stalled: null,
	switchStage: 'none',
	powerDesired: null,
	powerOrder: 0,
	drill: null,
	forwards: [],
	readBytes: null,
	runDirectory: null,
	platform: {},
	directory: '/nowhere',
	incidents: 0,
	...changes,
});
const incident = (sequence: number): Incident => ({
	sequence,
	at: '2026-11-20T03:00:00.000Z',
	kind: 'mover_died',
	message: '',
	count: 1,
});

test('`Reports.due` of what was never reported is due with all its incidents', () => {
	assert.deepEqual(new Reports().due(view({ incidents: 3 }), 0), { incidentsAfter: 0 });
});

test('`Reports.due` of what has not changed is not due', () => {
	const reports = new Reports();
	reports.reported(view(), [], 0);
	assert.equal(reports.due(view(), incidentsEveryMs * 9), undefined);
});

test('`Reports.due` of what has not changed is due once an hour, for a history that was put back', () => {
	const reports = new Reports();
	reports.reported(view({ incidents: 1 }), [incident(1)], 0);
	assert.equal(reports.due(view({ incidents: 1 }), stateAgainMs - 1), undefined);
	assert.deepEqual(reports.due(view({ incidents: 1 }), stateAgainMs), { incidentsAfter: 1 });
});

test('`Reports.due` of a change of power or of what blocks is due at once', () => {
	const reports = new Reports();
	reports.reported(view(), [], 0);
	assert.ok(reports.due(view({ power: 'paused' }), 1));
	assert.ok(reports.due(view({ blocked: { code: 'chunk_bad', reason: '', next: { order: 'retry' } } }), 1));
});

test('`Reports.due` of a copy that begins or ends is due for one that is blocked alone', () => {
	const reports = new Reports();
	reports.reported(view({ copying: true }), [], 0);
	assert.equal(reports.due(view({ copying: false }), 1), undefined);
	const blocked = { code: 'chunk_bad', reason: '', next: { order: 'retry' } } as const;
	reports.reported(view({ copying: true, blocked }), [], 2);
	assert.equal(reports.due(view({ copying: true, blocked }), 3), undefined);
	assert.ok(reports.due(view({ copying: false, blocked }), 3));
});

test('`Reports.due` of incidents is due at most once a minute, and only the new ones', () => {
	const reports = new Reports();
	reports.reported(view({ incidents: 2 }), [incident(1), incident(2)], 1_000);
	assert.equal(reports.due(view({ incidents: 3 }), 1_000 + incidentsEveryMs - 1), undefined);
	assert.deepEqual(reports.due(view({ incidents: 3 }), 1_000 + incidentsEveryMs), { incidentsAfter: 2 });
});

test('`Reports.due` of the first incident after a quiet start does not wait', () => {
	const reports = new Reports();
	reports.reported(view(), [], 1_000);
	assert.deepEqual(reports.due(view({ incidents: 1 }), 1_001), { incidentsAfter: 0 });
});

test('`Reports.due` of what was not reported is due again', () => {
	const reports = new Reports();
	reports.reported(view(), [], 0);
	assert.ok(reports.due(view({ power: 'off' }), 1));
	assert.ok(reports.due(view({ power: 'off' }), 2));
});

test('`Reports.keepOnly` forgets a recovery that has left the host', () => {
	const reports = new Reports();
	reports.reported(view(), [], 0);
	reports.keepOnly([]);
	assert.deepEqual(reports.due(view(), 1), { incidentsAfter: 0 });
});

const supervisorOf = (views: RecoveryView[], incidents: Incident[] = []) => {
	const calls: unknown[][] = [];
	const step = async (...call: unknown[]) => {
		calls.push(call);
		return {} as never;
	};
	return { recoveries: async () => views, incidents: async () => incidents, step, calls };
};
const workflows = (report: Workflows['report'], standing: Standing = 'open'): Workflows => ({
	report,
	standing: async () => standing,
});
const { signal } = new AbortController();

test('`forwardOnce` with a recovery that cannot be reported reports the others, and that one the next time', async () => {
	const views = ['one', 'two'].map(name => view({ name, recoveryId: randomUUID() }));
	const supervisor = supervisorOf(views);
	const reports = new Reports();
	const received: string[] = [];
	let broken = 'one';
	const report = async (name: string) => {
		if (name === broken) throw new Error('no more signals');
		received.push(name);
		return true;
	};
	await assert.rejects(forwardOnce(supervisor, workflows(report), reports, signal), /no more signals/);
	assert.deepEqual(received, ['two']);
	broken = '';
	await forwardOnce(supervisor, workflows(report), reports, signal);
	assert.deepEqual(received, ['two', 'one']);
});

test('`forwardOnce` sends no more than a signal takes, and the rest with the next', async () => {
	const one = view({ incidents: 900 });
	const all = Array.from({ length: 900 }, (_, index) => ({ ...incident(index + 1), message: 'ß'.repeat(1_000) }));
	const supervisor = {
		...supervisorOf([one]),
		incidents: async (_name: string, after = 0) => all.filter(({ sequence }) => sequence > after),
	};
	const reports = new Reports();
	const received: number[] = [];
	const send = async (_name: string, report: HostReport) => {
		assert.ok(Buffer.byteLength(JSON.stringify(report)) < 300 * 1024, 'a report that Temporal refuses');
		received.push(...report.incidents.map(({ sequence }) => sequence));
		return true;
	};
	for (let minute = 0; received.length < 900 && minute < 50; minute++)
		await forwardOnce(supervisor, workflows(send), reports, signal, () => minute * incidentsEveryMs);
	assert.deepEqual(
		received,
		all.map(({ sequence }) => sequence),
	);
});

test('`forwardOnce` to a recovery without an open workflow tells the one that takes it up everything', async () => {
	const one = view({ incidents: 2 });
	const reports = new Reports();
	reports.reported(one, [incident(1), incident(2)], 0);
	one.power = 'off';
	const supervisor = supervisorOf([one], [incident(1), incident(2)]);
	await forwardOnce(
		supervisor,
		workflows(async () => false),
		reports,
		signal,
	);
	assert.equal(reports.due(one, performance.now()), undefined, 'asked all the time');
	assert.deepEqual(reports.due(one, performance.now() + unheardEveryMs), { incidentsAfter: 0 });
});

test('`forwardOnce` lets a machine start after a boot of its host when its workflow is open, and calls nobody for it', async () => {
	const blocked = { code: 'host_rebooted', reason: '', next: { order: 'power-on' } } as const;
	const one = view({ power: 'off', blocked, generation: 3 });
	const { name, recoveryId } = one;
	const received: string[] = [];
	const report = async (to: string) => received.push(to) > 0;
	const open = supervisorOf([one]);
	await forwardOnce(open, workflows(report), new Reports(), signal);
	assert.deepEqual(open.calls, [[name, 'confirm-open', { recoveryId, generation: 3 }, { signal }]]);
	assert.deepEqual(received, []);
	const closed = supervisorOf([one]);
	await forwardOnce(closed, workflows(report, 'closed'), new Reports(), signal);
	assert.deepEqual(closed.calls, []);
});

test('`forwardOnce` tells the host when the workflow of a recovery has given it up, above what that one may have sent', async () => {
	const one = view({ power: 'on', generation: 3 });
	const { name, recoveryId } = one;
	const supervisor = supervisorOf([one]);
	const heard = async () => assert.fail('nobody is there to be told');
	await forwardOnce(supervisor, workflows(heard, 'abandoned'), new Reports(), signal);
	assert.deepEqual(supervisor.calls, [[name, 'abandon', { recoveryId, generation: 103 }, { signal }]]);
	const told = supervisorOf([{ ...one, state: 'abandoned' }]);
	await forwardOnce(told, workflows(heard, 'abandoned'), new Reports(), signal);
	assert.deepEqual(told.calls, []);
});

test('`forwardOnce` reports no power that the workflow shows already, and all the same what else there is to say', async () => {
	const power = view({ power: 'off' });
	const blocked = view({ power: 'off', blocked: { code: 'chunk_bad', reason: '', next: { order: 'retry' } } });
	const received: HostReport[] = [];
	const report = async (_name: string, said: HostReport) => received.push(said) > 0;
	const reports = new Reports();
	await forwardOnce(supervisorOf([power]), workflows(report, 'knows'), reports, signal);
	assert.equal(received.length, 0);
	assert.equal(reports.due(power, performance.now()), undefined, 'asked all the time');
	await forwardOnce(supervisorOf([blocked]), workflows(report, 'knows'), reports, signal);
	await forwardOnce(supervisorOf([view({ powerOrder: 7 })]), workflows(report, 'knows'), reports, signal);
	await forwardOnce(
		supervisorOf([view({ incidents: 1 })], [incident(1)]),
		workflows(report, 'knows'),
		new Reports(),
		signal,
	);
	assert.deepEqual(
		received.map(said => [said.blocked?.code, said.powerOrder, said.incidents.length]),
		[
			['chunk_bad', 0, 0],
			[undefined, 7, 0],
			[undefined, 0, 1],
		],
	);
});

test('`standingOf` tells a workflow that shows the power as it was seen, unless it has not heeded all or waits for something', async () => {
	const [recoveryId, hostId] = [randomUUID(), randomUUID()];
	const standing = (status: unknown, pendingWorkflowTask: object | null) => {
		const memo = { recoveryId, request: { hostId }, status };
		const described = { memo, typedSearchAttributes: new TypedSearchAttributes(), raw: { pendingWorkflowTask } };
		const describe = async () => ({ ...described, status: { code: 1, name: 'RUNNING' as const } });
		const workflow = { getHandle: () => ({ describe }), async *list() {} };
		return standingOf(workflow, { name: 'one', recoveryId, hostId, power: 'on' });
	};
	assert.equal(await standing({ power: 'on', parked: null }, null), 'knows');
	assert.equal(await standing({ power: 'off', parked: null }, null), 'open');
	assert.equal(await standing({ power: 'on', parked: { code: 'chunk_bad' } }, null), 'open');
	assert.equal(await standing({ power: 'on', parked: null }, {}), 'open');
	assert.equal(await standing(undefined, null), 'open');
});

test('`standingOf` tells of a recovery that has left this host for another as closed, open there or given up there', async () => {
	const [recoveryId, here, elsewhere] = [randomUUID(), randomUUID(), randomUUID()];
	const standing = (hostId: string, phase: string, of = recoveryId) => {
		const memo = { recoveryId, request: { hostId } };
		const typedSearchAttributes = new TypedSearchAttributes([{ key: searchAttributes.phase, value: phase }]);
		const status = { code: 1, name: 'RUNNING' as const };
		const describe = async () => ({ memo, typedSearchAttributes, status, raw: {} });
		const list = async function* () {
			if (phase === 'abandoned') yield { memo };
		};
		return standingOf(
			{ getHandle: () => ({ describe }), list },
			{ name: 'one', recoveryId: of, hostId: here, power: 'on' },
		);
	};
	assert.deepEqual([await standing(here, 'running'), await standing(elsewhere, 'running')], ['open', 'closed']);
	assert.deepEqual(
		[await standing(here, 'abandoned'), await standing(elsewhere, 'abandoned')],
		['abandoned', 'closed'],
	);
	assert.equal(await standing(here, 'running', randomUUID()), 'closed');
});
