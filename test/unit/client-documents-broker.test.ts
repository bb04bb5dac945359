import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recoveryAnswer } from '../../cli/recover/answer.ts';
import { fullText } from '../../cli/recover/text.ts';
import { readDocument } from '../../client/documents.ts';
import type { RecoveryDetails } from '../../client/summaries.ts';
import { RouseError } from '../../model/errors.ts';
import { explain } from '../../workflows/broker/explain.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';

/** A site whose only place has another recovery. */
function fullSite(): BrokerSite {
	const site = new BrokerSite({ 'host/kvm1': { recoveries: 1 } });
	const onHost = { hosts: ['kvm1'], onHost: { recoveries: 1 } };
	site.acquire(leaseRequest('db-r1', onHost), leaseRequest('web01-r1', onHost));
	site.tick();
	return site;
}

/** As it stands by Temporal, and by a broker that answers so; the supervisor knows nothing of it. */
async function read(stand: Partial<RecoveryDetails>, view: () => ReturnType<typeof explain>) {
	const fail = async () => {
		throw new RouseError('recovery_unknown', 'nothing');
	};
	const unknown = { pending: [], asOf: '2026-11-20T03:00:00.000Z', disks: undefined, restoredBytes: undefined };
	const details: RecoveryDetails = { ...summaryOf(makeRequest()), ...unknown, statusFrom: 'worker', ...stand };
	const asked: unknown[] = [];
	const sources = {
		recoveries: { show: async () => details, history: async () => [] },
		supervisor: { adoption: fail, incidents: fail, recovery: fail, host: fail },
		broker: {
			view: async (about: unknown) => {
				asked.push(about);
				return view();
			},
		},
	};
	return { document: await readDocument(sources, 'web01-r1'), asked };
}

const waiting = { phase: 'waiting', workflow: 'RUNNING', closedAt: undefined } as const;
const seen = () => {
	const site = fullSite();
	return explain(site.state, site.nowMs, 100, 'recovery/web01-r1');
};

test('`recover show` of one that the broker lets wait tells for what, and misses nothing on its host', async () => {
	const { document, asked } = await read(waiting, seen);
	assert.deepEqual(asked, [{ recovery: 'web01-r1', limitMs: 2_000 }]);
	const text = fullText(recoveryAnswer(document));
	assert.match(
		text,
		/^ {2}waits for {2}host\/kvm1\/recoveries: 0 of 1 free, 1 wanted; held by db-r1 \(1\); place 1, /m,
	);
	assert.doesNotMatch(text, /the supervisor of the host tells nothing/);
});

test('`readDocument` asks no broker about what needs nothing of it, or when no worker answers, and does without its answer', async () => {
	for (const stand of [
		{ ...waiting, phase: 'migrated' },
		{ ...waiting, statusFrom: 'memo' },
	] as const) {
		const { document, asked } = await read(stand, seen);
		assert.deepEqual([asked, document.broker], [[], null]);
	}
	const silent = () => {
		throw new RouseError('worker_missing', 'nobody');
	};
	assert.equal((await read(waiting, silent)).document.broker, null);
});
