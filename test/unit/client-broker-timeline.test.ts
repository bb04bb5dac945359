import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokerTimeline } from '../../client/broker-timeline.ts';
import type { HistoryEntry } from '../../client/history.ts';

const requestId = 'recovery/web01-r1/a/run';
const holder = { workflowId: 'recovery/web01-r1', firstRunId: 'a' };

function entry(kind: HistoryEntry['kind'], name: string, content: unknown, second = 0): HistoryEntry {
	return {
		at: new Date(Date.UTC(2026, 10, 20, 3, 0, second)).toISOString(),
		eventId: 1,
		runId: 'r',
		kind,
		name,
		content,
	};
}

test('`brokerTimeline` tells orders with who and why, and each lease as it was asked for, granted and given back', () => {
	const asks = entry('reported', 'acquire', { holder, step: 'run', hosts: ['kvm1'] });
	const grant = entry('told', 'leaseGranted', { requestId, host: 'kvm1', token: 1 });
	const entries = brokerTimeline([
		asks,
		grant,
		asks,
		grant,
		entry('reported', 'capacityReport', { reporter: 'host/kvm1' }),
		entry('asked', 'setTotal', { by: 'anna', reason: 'a new disk', resource: 'host/kvm1/migrations', total: 2 }),
		entry('reported', 'release', { requestId, stays: null }),
		entry('terminated', '', 'by hand'),
	]);
	assert.deepEqual(
		entries.map(({ kind, text, by = '', reason = '' }) => [kind, text, by, reason].join('|')),
		[
			'lease|web01-r1: lease run asked for on kvm1||',
			'lease|web01-r1: lease run granted on kvm1||',
			'order|setTotal host/kvm1/migrations 2|anna|a new disk',
			'lease|web01-r1: lease run given back||',
			'end|terminated in Temporal: by hand||',
		],
	);
});

test('`brokerTimeline` tells of grants that one activity told as of others', () => {
	const grants = ['run', 'migrate'].map(step => ({
		workflowId: holder.workflowId,
		requestId: `recovery/web01-r1/a/${step}`,
		host: 'kvm1',
		token: 1,
	}));
	const texts = brokerTimeline([
		entry('step_scheduled', 'deliverGrants', { grants }),
		entry('step_finished', 'deliverGrants', {}),
	]).map(({ text }) => text);
	assert.deepEqual(texts, ['web01-r1: lease run granted on kvm1', 'web01-r1: lease migrate granted on kvm1']);
});

test('`brokerTimeline` tells of an import by its machine', () => {
	const of = { requestId: 'import/0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d/web01/a/import' };
	const texts = brokerTimeline([entry('told', 'release', { ...of, stays: null })]).map(({ text }) => text);
	assert.deepEqual(texts, ['web01: lease import given back']);
});

test('`brokerTimeline` tells of a forced release once, by its order', () => {
	const why = { by: 'anna', reason: 'kvm1 has burnt' };
	const entries = brokerTimeline([
		entry('asked', 'forceRelease', { ...why, requestId }),
		entry('told', 'leaseRevoked', { ...why, requestId }),
	]);
	assert.deepEqual(
		entries.map(({ text, by, reason }) => ({ text, by, reason })),
		[{ text: `forceRelease ${requestId}`, ...why }],
	);
});
