import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchTimeline } from '../../client/batch/timeline.ts';
import { followRuns, type HistoryEntry, inOrder } from '../../client/history.ts';
import { payloadReader } from '../../client/payloads.ts';
import { ClientCodec } from '../../system/payload-codec.ts';
import { expanded } from '../equipment/batch-surroundings.ts';

const quiet = { deaths: [], outages: [] };
const at = (second: number) => `2026-11-20T03:00:0${second}.000Z`;

function history(parts: readonly Omit<HistoryEntry, 'at' | 'eventId' | 'runId'>[]): HistoryEntry[][] {
	return [parts.map((part, index) => ({ at: at(index), eventId: index, runId: 'r', ...part }))];
}

const textsOf = (entries: ReturnType<typeof batchTimeline>) =>
	entries.map(({ kind, text, by, reason }) => [
		kind,
		text,
		...(by === undefined ? [] : [by]),
		...(reason ? [reason] : []),
	]);

test('the audit of a batch tells who asked for what, what was there and what became of each machine', async () => {
	const { plan } = await expanded("reason: fire\ngroups: [{name: g, machines: ['db*']}]");
	const news = { item: 'db01-r1', recoveryId: 'x', number: 1, phase: 'running', code: null, reason: null };
	const prepared = [
		{ name: 'db01-r1', is: 'free' },
		{ name: 'db02-r1', is: 'found' },
		{ name: 'db03-r1', is: 'refused', code: 'name_conflict', reason: 'another request' },
	];
	const entries = batchTimeline(
		history([
			{ kind: 'started', content: { plan: { ...plan, requestedBy: 'ann' } } },
			{ kind: 'step_finished', name: 'prepareItems', content: prepared },
			{ kind: 'child_started', name: 'db01-r1' },
			{ kind: 'reported', name: 'itemNews', content: { ...news, is: 'ready' } },
			{ kind: 'reported', name: 'itemNews', content: { ...news, is: 'parked', code: 'space_short', reason: 'full' } },
			{ kind: 'asked', name: 'cancel', content: { by: 'ben', reason: 'enough' } },
			{ kind: 'finished' },
		]),
		{ ...quiet, deaths: [{ at: at(3), name: 'host-worker', pid: 7, livedMs: 1 }] },
	);
	assert.deepEqual(textsOf(entries), [
		['requested', '2 machines in 1 group requested', 'ann', 'fire'],
		['item', 'db02-r1 was there already'],
		['item', 'db03-r1 is refused (name_conflict): another request'],
		['item', 'db01-r1 started'],
		['item', 'db01-r1 is ready, running'],
		['incident', 'service_died: host-worker (pid 7) ended'],
		['item', 'db01-r1 parked, running (space_short): full'],
		['order', 'cancel', 'ben', 'enough'],
		['end', 'workflow finished'],
	]);
});

test('the audit of a batch tells which machines an order did not reach, and which were ended by force', () => {
	const glance = { phase: 'running', closed: null };
	const entries = batchTimeline(
		history([
			{
				kind: 'step_finished',
				name: 'orderItems',
				content: [
					{ name: 'a', refused: null },
					{ name: 'b', refused: { code: 'phase_wrong', reason: 'too late' } },
				],
			},
			{
				kind: 'step_finished',
				name: 'lookAtItems',
				content: [
					{ name: 'a', glance },
					{ name: 'c', glance: { ...glance, closed: 'force' } },
					{ name: 'd', glance: null },
				],
			},
		]),
		quiet,
	);
	assert.deepEqual(textsOf(entries), [
		['item', 'b refused (phase_wrong): too late'],
		['item', 'c was ended by force in Temporal, running'],
		['item', 'd is not known to Temporal any more'],
	]);
});

test('the audit of a batch that was started again to be told something begins with that order', async () => {
	const { plan } = await expanded('groups: [{name: g, machines: [db01]}]');
	const content = { plan, order: { is: 'discard', by: 'ann', reason: 'over' } };
	const [, order] = batchTimeline(history([{ kind: 'started', content }]), quiet);
	assert.deepEqual([order?.kind, order?.text, order?.by], ['order', 'discard, of what exists', 'ann']);
});

test('recoveries that a workflow started, or could not start, are in its history', async () => {
	const events = [
		{ childWorkflowExecutionStartedEventAttributes: { workflowExecution: { workflowId: 'recovery/a' } } },
		{ startChildWorkflowExecutionFailedEventAttributes: { workflowId: 'recovery/b' } },
	];
	const entries = await followRuns('r', async () => events, payloadReader(new ClientCodec()));
	assert.deepEqual(
		entries.map(({ kind, name }) => [kind, name]),
		[
			['child_started', 'a'],
			['child_refused', 'b'],
		],
	);
});

const event = (second: number, eventId: number, part: Pick<HistoryEntry, 'kind' | 'name'>): HistoryEntry => ({
	at: at(second),
	eventId,
	runId: `r${second}`,
	...part,
});

test('the audit of a batch that was begun again tells each beginning, oldest first, and troubles with the one they fell into', () => {
	const first = [
		event(0, 1, { kind: 'started' }),
		event(1, 5, { kind: 'child_started', name: 'one' }),
		event(2, 9, { kind: 'finished' }),
	];
	const second = [event(5, 1, { kind: 'started' }), event(6, 5, { kind: 'child_started', name: 'two' })];
	const died = (second_: number) => ({ at: at(second_), name: 'control-worker', pid: 7, livedMs: 1 });
	const entries = batchTimeline(inOrder([second, [], first]), { ...quiet, deaths: [died(1), died(3), died(6)] });
	assert.deepEqual(
		entries.map(({ text }) => text),
		[
			'requested',
			'one started',
			'service_died: control-worker (pid 7) ended',
			'workflow finished',
			'begun again: requested',
			'two started',
			'service_died: control-worker (pid 7) ended',
		],
	);
});

test('what a batch was reset to is told once', () => {
	const common = [event(0, 1, { kind: 'started' }), event(1, 5, { kind: 'child_started', name: 'one' })];
	const before = [...common, event(2, 9, { kind: 'terminated' })];
	const after = [...common, event(3, 9, { kind: 'child_started', name: 'two' })];
	assert.deepEqual(
		inOrder([after, before]).flatMap(entries => entries.map(({ at: when, kind }) => [when, kind])),
		[
			[at(0), 'started'],
			[at(1), 'child_started'],
			[at(2), 'terminated'],
			[at(3), 'child_started'],
		],
	);
});
