import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recoveryAnswer } from '../../cli/recover/answer.ts';
import { fullText } from '../../cli/recover/text.ts';
import { makeDocument, readDocument } from '../../client/documents.ts';
import type { RecoveryDetails } from '../../client/summaries.ts';
import { RouseError } from '../../model/errors.ts';
import type { ReadinessState } from '../../model/readiness.ts';
import { firstState, statusOf } from '../../workflows/state.ts';
import { makeRequest, testHostId } from '../equipment/recovery-request.ts';
import { sampleHostView, sampleRecoveryView } from '../equipment/sample-host.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';

function detailsOf(changes: Parameters<typeof makeRequest>[0]): RecoveryDetails {
	const disks = [{ sizeBytes: 8, restoredBytes: 8, path: '/home/web01/disk0.raw' }];
	const unknown = { pending: [], asOf: '2026-11-20T03:00:00.000Z', disks, restoredBytes: undefined };
	return { ...summaryOf(makeRequest(changes)), ...unknown, statusFrom: 'memo' };
}

function documentOf(changes: Parameters<typeof makeRequest>[0]) {
	return makeDocument(detailsOf(changes), undefined, undefined);
}

test('`recover show` tells which ports of the host lead to the guest', () => {
	const forwards = [{ address: '127.0.0.1', port: 2222, guestPort: 22 }];
	const document = documentOf({ forwards });
	assert.deepEqual(document.forwards, forwards);
	assert.match(fullText(recoveryAnswer(document)), /^ {2}forward +127\.0\.0\.1:2222 of the host leads to port 22/m);
	assert.deepEqual(documentOf({}).forwards, []);
});

test('`recover show` of a finished recovery whose machine was removed says so, and how its name is used again', () => {
	const document = makeDocument(detailsOf({}), undefined, undefined, true);
	assert.deepEqual(document.disks, []);
	const text = fullText(recoveryAnswer(document));
	assert.match(text, /^web01-r1: finished, its machine was removed from local\n/);
	assert.match(text, /^Next: use the name again: .* --again$/m);
	assert.doesNotMatch(text, /the machine is yours/);
});

test('`readDocument` asks the host of a finished recovery whether its machine was removed; silence and other hosts do not tell', async () => {
	const read = (hostId: string, code: 'recovery_unknown' | 'supervisor_unreachable') => {
		const fail = async () => {
			throw new RouseError(code, 'nothing');
		};
		const host = async () => ({ ...sampleHostView, hostId });
		const supervisor = { adoption: fail, incidents: fail, recovery: fail, host };
		const recoveries = { show: async () => detailsOf({}), history: async () => [] };
		return readDocument({ recoveries, supervisor }, 'web01-r1');
	};
	const { hostId } = makeRequest();
	assert.equal((await read(hostId, 'recovery_unknown')).removed, true);
	assert.equal((await read(hostId, 'supervisor_unreachable')).removed, false);
	assert.equal((await read('5d1f3f0e-7a77-4a0b-9d8e-0d9a3c1b2f4e', 'recovery_unknown')).removed, false);
});

test('`recover show` tells where each network card leads, and that its link is down', () => {
	assert.deepEqual(documentOf({}).nics, [], 'the host does not answer');
	const nics = [
		{ mac: '52:54:00:00:00:01', network: 'lan', target: 'bridge:br0' },
		{ mac: '52:54:00:00:00:02', network: 'dmz', target: 'none' },
	];
	const text = fullText(recoveryAnswer({ ...documentOf({}), nics }));
	assert.match(text, /^ {2}nic0 +52:54:00:00:00:01, of network lan: leads to bridge:br0$/m);
	assert.match(text, /^ {2}nic1 +52:54:00:00:00:02, of network dmz: link down, it leads nowhere$/m);
});

test('`recover show` says how a network gets somewhere that nobody said where it leads, until the machine is finished', () => {
	const of = (changes: Parameters<typeof makeRequest>[0], more: Partial<RecoveryDetails> = {}) => {
		const details = { ...detailsOf(changes), workflow: 'RUNNING', phase: 'running', ...more } as const;
		return makeDocument(details, { ...sampleRecoveryView, recoveryId: details.recoveryId ?? '' }, []);
	};
	assert.deepEqual(of({}).unmapped, ['dmz']);
	assert.match(fullText(recoveryAnswer(of({}))), /a start says where a network leads: --network dmz=NAME/);
	assert.deepEqual(of({ networks: { dmz: 'none' } }).unmapped, [], 'it was asked for');
	assert.deepEqual(of({}, { workflow: 'COMPLETED', phase: 'finished' }).unmapped, []);
});

test('`readDocument` asks the supervisor here nothing of a recovery on another machine, and `recover show` offers no way out of it', async () => {
	const asked = async () => assert.fail('its host is not here');
	const { hostId } = makeRequest();
	const running = { ...detailsOf({}), workflow: 'RUNNING', phase: 'running' } as const;
	const document = await readDocument(
		{
			recoveries: { show: async () => running, history: async () => [] },
			supervisor: { adoption: asked, incidents: asked, recovery: asked, host: asked },
			config: { hosts: { hv1: { id: hostId } } },
		},
		'web01-r1',
	);
	assert.deepEqual([document.hostElsewhere, document.hostAnswers], [true, false]);
	const text = fullText(recoveryAnswer(document));
	assert.match(text, /its host is another machine: this is what the worker of local has reported/);
	assert.doesNotMatch(text, /abandon/);
});

test('`recover show` tells what a machine is asked before it is ready, until when, and what came of it', () => {
	const readiness = { check: { by: 'tcp', address: '10.0.0.5', port: 22 }, timeoutMs: 60_000 } as const;
	const textOf = (now: Partial<ReadinessState>, timings = {}) => {
		const details = detailsOf({ readiness });
		const state = { is: 'waiting', until: '2026-11-20T03:01:00.000Z', code: null, reason: null, ...now } as const;
		const requestedAt = '2026-11-20T03:00:00.000Z';
		const status = {
			...statusOf(makeRequest({ readiness }), firstState(makeRequest(), testHostId, requestedAt)),
			readiness: state,
			timings: { requestedAt, ...timings },
		};
		const asked = { ...details, phase: 'running', workflow: 'RUNNING', status } as const;
		return fullText(recoveryAnswer(makeDocument(asked, undefined, undefined)));
	};
	assert.match(textOf({}), /^ {2}ready +when 10\.0\.0\.5 takes connections at port 22; asked until /m);
	const late = textOf({ is: 'not_ready', code: 'not_ready', reason: 'refused' });
	assert.match(late, /^ {2}ready +not in time, when .*: refused \(not_ready\)$/m);
	const ready = textOf({ is: 'ready' }, { readyAt: '2026-11-20T03:00:30.000Z' });
	assert.doesNotMatch(ready, /^ {2}ready /m);
	assert.match(ready, /ready after /);
});
