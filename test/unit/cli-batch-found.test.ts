import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leftByDiscard, leftText } from '../../cli/batch/found-text.ts';
import { parseNames } from '../../cli/batch/parse.ts';
import { itemDocument } from '../../client/batch/documents.ts';
import type { ItemView } from '../../model/batch-view.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';

function item(name: string, changes: Partial<ItemView>): ItemView {
	const known = { machine: name, group: 'web', recoveryId: null, phase: null, code: null, reason: null };
	return { name, ...known, state: 'ready', found: true, own: false, startedMs: 0, readyMs: null, ...changes };
}

test('`batch discard` tells what it left, where that came from, and how to name it', () => {
	const request = makeRequest({ name: 'b', requestedBy: 'ann' });
	const items = [
		itemDocument(item('a', { own: true }), {}),
		itemDocument(item('b', {}), { recovery: summaryOf(request, { phase: 'running', batch: 'other' }) }),
		itemDocument(item('c', { state: 'parked', phase: 'migrating' }), {}),
		itemDocument(item('d', { state: 'ended', phase: 'finished' }), {}),
	];
	const [head, b, c, how] = leftText('site', leftByDiscard(items));
	assert.match(head ?? '', /^Left, /);
	assert.match(b ?? '', /^ {2}b: running, started by batch other by order of ann, 2026-11-20/);
	assert.match(c ?? '', /^ {2}c: migrating, Temporal does not tell/);
	assert.match(how ?? '', /rouse batch discard site --confirm site --found b,c$/);
	assert.deepEqual(leftText('site', []), []);
});

test('`batch discard --found` takes names, each once', () => {
	assert.deepEqual(parseNames('web01-r1, db01-r1,web01-r1'), ['web01-r1', 'db01-r1']);
	assert.throws(() => parseNames('web*'));
	assert.throws(() => parseNames(''));
});
