import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkText, parseReady, parseReadyWithin, readinessOf } from '../../cli/recover/parse-ready.ts';

test('`--ready` takes agent, ping, tcp and a command with arguments', () => {
	assert.deepEqual(['agent', 'ping:10.0.0.5', 'tcp:db.lan:5432', 'tcp:[fe80::1]:22'].map(parseReady), [
		{ by: 'agent' },
		{ by: 'ping', address: '10.0.0.5' },
		{ by: 'tcp', address: 'db.lan', port: 5432 },
		{ by: 'tcp', address: 'fe80::1', port: 22 },
	]);
	const command = parseReady('command:up web01  443');
	assert.deepEqual(command, { by: 'command', name: 'up', args: ['web01', '443'] });
	assert.equal(checkText(command), 'checks/up web01 443 of the host ends with 0');
});

test('`--ready` refuses what is none of them, and what could be an option or a path', () => {
	for (const text of ['', 'agent:', 'ping:', 'ping:-f', 'tcp:10.0.0.5', 'tcp:10.0.0.5:0', 'tcp:a:70000', 'http:x'])
		assert.throws(() => parseReady(text), /write agent/, text);
	for (const text of ['command:', 'command:../up', 'command:/bin/sh'])
		assert.throws(() => parseReady(text), /write agent/, text);
});

test('`--ready-within` is the time limit of a check, and of nothing else', () => {
	const agent = { by: 'agent' } as const;
	assert.equal(parseReadyWithin('5m'), 300_000);
	assert.throws(() => parseReadyWithin('soon'), /duration/);
	assert.deepEqual(readinessOf(agent, 300_000), { check: agent, timeoutMs: 300_000 });
	assert.deepEqual(readinessOf(agent, undefined), { check: agent, timeoutMs: 600_000 });
	assert.equal(readinessOf(undefined, undefined), undefined);
	assert.throws(() => readinessOf(undefined, 300_000), { code: 'usage' });
});
