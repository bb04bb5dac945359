import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeTimeline, type ServiceDeath, type ServiceTroubles } from '../../client/timeline.ts';
import type { HistoryEntry } from '../../client/history.ts';
import type { Incident, RecoveryStatus } from '../../model/recovery.ts';

const at = (second: number) => new Date(Date.UTC(2026, 10, 20, 3, 0, second)).toISOString();

function entry(second: number, kind: HistoryEntry['kind'], more: Partial<HistoryEntry> = {}): HistoryEntry {
	return { at: at(second), eventId: second, runId: 'r', kind, ...more };
}

const status: RecoveryStatus = {
	name: 'web01-r1',
	recoveryId: '3b241101-e2bb-4255-8caf-4136c566a962',
	machine: 'web01',
	machineName: 'web01-r1',
	restorePoint: '2026-11-20T03:00:00.000Z',
	host: 'local',
	phase: 'running',
	parked: null,
	power: 'on',
	policy: { finish: 'manual', switch: 'auto', maxRateBytes: 0 },
	generation: 1,
	timings: { requestedAt: at(0) },
	incidents: [],
	failure: null,
};
const incident = (sequence: number, second: number, message: string): Incident => ({
	sequence,
	at: at(second),
	kind: 'mover_died',
	message,
	count: 1,
});

const nothing: ServiceTroubles = { deaths: [], outages: [] };
const texts = (history: HistoryEntry[], logged: Incident[] = [], deaths: ServiceDeath[] = []) =>
	makeTimeline(history, logged, { deaths, outages: [] }).map(({ text }) => text);

describe('the timeline of a recovery', () => {
	it('of an adopted one says who took it up', () => {
		const request = { machine: 'web01', restorePoint: at(0), requestedBy: 'anna', reason: '' };
		const adopt = { by: 'berta', reason: 'the database is gone', host: {} };
		const [, adopted] = makeTimeline([entry(0, 'started', { content: { request, adopt } })], [], nothing);
		assert.deepEqual([adopted?.kind, adopted?.by, adopted?.reason], ['order', 'berta', 'the database is gone']);
	});

	it('begins with who asked for what, and why', () => {
		const request = { machine: 'web01', restorePoint: at(0), requestedBy: 'anna', reason: 'the disk is gone' };
		const [first] = makeTimeline([entry(0, 'started', { content: { request } })], [], nothing);
		assert.deepEqual(first, {
			at: at(0),
			kind: 'requested',
			text: `web01@${at(0)} requested`,
			by: 'anna',
			reason: 'the disk is gone',
		});
	});

	it('tells of a phase, of power and of parking when they change, and not again', () => {
		const parked = {
			code: 'chunk_bad',
			reason: 'a chunk',
			since: at(2),
			next: { order: 'retry', first: 'repair' },
		} as const;
		assert.deepEqual(
			texts([
				entry(1, 'changed', { content: status }),
				entry(2, 'changed', { content: { ...status, parked, power: 'paused' } }),
				entry(3, 'changed', { content: { ...status, parked, power: 'paused' } }),
				entry(4, 'changed', { content: status }),
			]),
			['phase running', 'power paused', 'parked (chunk_bad): a chunk', 'power on', 'goes on'],
		);
	});

	it('names who gave an order, without the confirmation', () => {
		const [first] = makeTimeline(
			[entry(1, 'asked', { name: 'discard', content: { by: 'ben', confirm: 'web01-r1', reason: 'done' } })],
			[],
			nothing,
		);
		assert.deepEqual([first?.text, first?.by, first?.reason], ['discard', 'ben', 'done']);
	});

	it('tells a change of policy and a pin in words', () => {
		const change = (policy: object) => entry(1, 'asked', { name: 'setPolicy', content: { by: 'ben', policy } });
		assert.deepEqual(
			texts([
				change({ maxRateBytes: 20 * 2 ** 20 }),
				change({ maxRateBytes: 0, switch: 'manual', finish: 'migrate' }),
				entry(2, 'asked', { name: 'power', content: { by: 'ben', action: 'off' } }),
				entry(3, 'step_finished', { name: 'pin' }),
			]),
			[
				'limit of the migration: 20.0 MiB/s',
				'no limit of the migration, switch when told, migrate by itself',
				'power off',
				'pin of the restore point done',
			],
		);
	});

	it('tells how often a step was tried and with what it failed before', () => {
		const failure = { code: 'supervisor_unreachable', message: 'nobody listens' } as const;
		const entries = makeTimeline(
			[
				entry(1, 'step_started', { name: 'powerOn', attempt: 3, failure }),
				entry(5, 'step_finished', { name: 'powerOn' }),
			],
			[],
			nothing,
		);
		assert.deepEqual(
			entries.map(({ text }) => text),
			['power-on: attempt 2 failed: nobody listens', 'power-on done'],
		);
		assert.equal(entries[1]?.durationMs, 4000);
	});

	it('has each incident once, from the log, from a report and from the result, in the order of time', () => {
		const reported = entry(9, 'reported', { content: { incidents: [incident(1, 2, 'first')] } });
		const result = entry(10, 'finished', {
			content: { incidents: [incident(1, 2, 'first'), incident(2, 4, 'second')] },
		});
		assert.deepEqual(texts([entry(3, 'changed', { content: status }), reported, result], [incident(2, 4, 'second')]), [
			'mover_died: first',
			'phase running',
			'mover_died: second',
			'workflow finished',
		]);
	});

	it('tells when a worker did not reach Temporal while it lasted', () => {
		const outage = (since: number, until?: number) => ({
			worker: 'host-worker',
			since: at(since),
			until: until === undefined ? undefined : at(until),
			reason: 'refused',
		});
		const history = [entry(2, 'started'), entry(4, 'changed', { content: status }), entry(9, 'finished')];
		const outages = [outage(0, 1), outage(3, 5), outage(6), outage(10, 11)];
		assert.deepEqual(
			makeTimeline(history, [], { deaths: [], outages }).map(({ text }) => text),
			[
				'requested',
				'temporal_away: the host-worker does not reach Temporal: refused',
				'phase running',
				'temporal_back: the host-worker reaches Temporal again',
				'temporal_away: the host-worker does not reach Temporal: refused',
				'workflow finished',
			],
		);
	});

	it('tells of the services that died while it lasted, and of no others', () => {
		const death = (second: number, name: ServiceDeath['name']) => ({ at: at(second), name, pid: 7, livedMs: 65_000 });
		assert.deepEqual(
			texts(
				[entry(2, 'started'), entry(4, 'changed', { content: status }), entry(6, 'finished')],
				[],
				[death(1, 'supervisor'), death(3, 'temporal'), death(5, 'host-worker'), death(7, 'control-worker')],
			),
			[
				'requested',
				'service_died: temporal (pid 7) ended',
				'phase running',
				'service_died: host-worker (pid 7) ended',
				'workflow finished',
			],
		);
	});
});

describe('the timeline of a recovery and its broker', () => {
	const holder = { workflowId: 'recovery/web01-r1', firstRunId: 'a' };
	const requestId = 'recovery/web01-r1/a/run';
	const asks = { name: 'acquire', content: { holder, step: 'run', hosts: ['kvm1', 'kvm2'] } };
	const granted = { name: 'leaseGranted', content: { requestId, host: 'kvm2', token: 7 } };

	it('tells once what was asked for and granted, and what went back', () => {
		const history = [
			entry(0, 'told', asks),
			entry(1, 'told', asks),
			entry(2, 'reported', granted),
			entry(3, 'reported', granted),
			entry(4, 'told', { name: 'release', content: { requestId, stays: null } }),
			entry(5, 'reported', { name: 'leaseRefused', content: { requestId, code: 'lease_ended' } }),
			entry(6, 'told', { name: 'itemNews', content: { requestId } }),
		];
		assert.deepEqual(texts(history), [
			'lease run asked for on kvm1 or kvm2',
			'lease run granted on kvm2',
			'lease run given back',
			'lease run refused: lease_ended',
		]);
	});

	it('tells who took a lease away, and why', () => {
		const content = { requestId, by: 'anna', reason: 'kvm2 has burnt' };
		const [taken] = makeTimeline([entry(0, 'reported', { name: 'leaseRevoked', content })], [], nothing);
		assert.deepEqual(taken, {
			at: at(0),
			kind: 'order',
			text: 'lease run taken away',
			by: 'anna',
			reason: 'kvm2 has burnt',
		});
	});
});

it('`makeTimeline` tells what became of a host that was left, and who has given it up', () => {
	const ends: [HistoryEntry[], string[]][] = [
		[[entry(2, 'finished')], ['kvm2 has nothing of it any more']],
		[
			[entry(2, 'failed', { failure: { code: 'power_on_scheduled', message: 'it ran' } })],
			['kvm2 undoes nothing: it ran'],
		],
		[
			[entry(2, 'reported', { name: 'giveUp', content: { by: 'ann', reason: 'burnt' } }), entry(3, 'finished')],
			['give up what kvm2 may have of it'],
		],
	];
	for (const [end, told] of ends) {
		const left = { host: 'kvm2', history: [entry(1, 'started'), ...end] };
		const entries = makeTimeline([], [], nothing, [left]);
		const lines = entries.map(({ text }) => text);
		assert.deepEqual(lines, ['kvm2 does not answer and is left: it is owed an undo', ...told]);
		const order = entries.find(({ kind }) => kind === 'order');
		assert.deepEqual(
			[order?.by, order?.reason],
			told[0]?.startsWith('give up') ? ['ann', 'burnt'] : [undefined, undefined],
		);
	}
});
