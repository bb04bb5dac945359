import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recoveryAnswer } from '../../cli/recover/answer.ts';
import { fullText } from '../../cli/recover/text.ts';
import { makeDocument } from '../../client/documents.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';

function documentOf(changes: Parameters<typeof makeRequest>[0]) {
	const unknown = { pending: [], asOf: '2026-11-20T03:00:00.000Z', disks: undefined, restoredBytes: undefined };
	const details = { ...summaryOf(makeRequest(changes)), ...unknown, statusFrom: 'memo' as const };
	return makeDocument(details, undefined, undefined);
}

test('`recover show` tells which ports of the host lead to the guest', () => {
	const forwards = [{ address: '127.0.0.1', port: 2222, guestPort: 22 }];
	const document = documentOf({ forwards });
	assert.deepEqual(document.forwards, forwards);
	assert.match(fullText(recoveryAnswer(document)), /^ {2}forward +127\.0\.0\.1:2222 of the host leads to port 22/m);
	assert.deepEqual(documentOf({}).forwards, []);
});
