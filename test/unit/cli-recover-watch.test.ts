import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recoveryAnswer } from '../../cli/recover/answer.ts';
import { exitOf, follow } from '../../cli/recover/watch.ts';
import { Output } from '../../cli/terminal/output.ts';
import { makeDocument } from '../../client/documents.ts';
import { RouseError } from '../../model/errors.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';

test('a watch ends with the code of the failure, and with a conflict when the workflow was ended by force', () => {
	assert.equal(exitOf({ phase: 'finished', workflow: 'COMPLETED', failure: null }), 0);
	assert.equal(exitOf({ phase: 'failed', workflow: 'FAILED', failure: { code: 'space_short', message: '' } }), 4);
	assert.equal(exitOf({ phase: 'migrating', workflow: 'TERMINATED', failure: null }), 6);
});

/** A watch of a recovery that migrates, in which a signal comes after the first look. */
async function interruptedWatch(name: 'SIGINT' | 'SIGTERM') {
	const said: string[] = [];
	const stderr = { write: (text: string) => void said.push(text) };
	const output = new Output({ stdout: { write: () => {} }, stderr, json: false, quiet: false, debug: false });
	const interrupted = new AbortController();
	const asOf = '2026-11-20T03:00:00.000Z';
	const summary = summaryOf(makeRequest(), { phase: 'migrating', workflow: 'RUNNING' });
	const unknown = { pending: [], asOf, disks: undefined, restoredBytes: undefined, statusFrom: 'memo' as const };
	const look = async () => {
		interrupted.abort(new RouseError('interrupted', name, { details: { signal: name } }));
		return recoveryAnswer(makeDocument({ ...summary, ...unknown }, undefined, undefined));
	};
	let exitCode = 0;
	const exitWith = (code: number) => {
		exitCode = code;
	};
	await follow('web01-r1', look, { output, env: {}, signal: interrupted.signal, exitWith });
	return { said, exitCode };
}

test('Ctrl-C out of `recover watch` is no error, and says that the recovery goes on', async () => {
	const { said, exitCode } = await interruptedWatch('SIGINT');
	assert.equal(exitCode, 0);
	assert.deepEqual(said, ['recovery web01-r1 goes on; look again: rouse recover watch web01-r1\n']);
});

test('`recover watch` that is ended by SIGTERM is interrupted, as any other command', async () => {
	await assert.rejects(interruptedWatch('SIGTERM'), { code: 'interrupted', details: { signal: 'SIGTERM' } });
});
