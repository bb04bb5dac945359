import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Secrets, secretsOf } from '../../sources/machine-child/secrets.ts';
import { secretsIn } from '../../sources/machine-child/secrets-in.ts';
import { runTool } from '../../system/run-tool.ts';
import { ImportInstallation } from '../equipment/import-installation.ts';

const key = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const line = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj';
const last = 'AgEAAoIBAQC7VJTUt9Us8cKj==';
const pem = `-----BEGIN PRIVATE KEY-----\n${line}\n${last}\n-----END PRIVATE KEY-----\n`;
const google = JSON.stringify({
	type: 'service_account',
	project_id: 'my-project-12345',
	private_key: pem,
	client_email: 'backup@my-project-12345.example',
	host: { token: key },
});
const aws = `[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = ${key}\nregion = eu-central-1\n`;

for (const [what, text, said] of [
	['a password alone', 'hunter2\n', 'hunter2'],
	['a password that looks like a setting', 'user=hunter2!\n', 'user=hunter2!'],
	['a key in settings', aws, key],
	['a key with quotes', `export TOKEN="${key}"\n`, key],
	['a key in lines', pem, line],
	["a key's last line, which looks like a setting", pem, last],
	['a key within JSON', google, line],
	['a secret below a name of what is public', google, key],
] as const)
	test(`\`secretsIn\` finds ${what}`, () => {
		assert.equal(new Secrets(secretsIn(text)).outOf(`at ${said}?`), 'at [secret]?');
	});

for (const [what, said] of [
	['as an address has it', encodeURIComponent(key)],
	['as JSON has it', JSON.stringify({ at: `${key}"` })],
	['as a header has it', Buffer.from(`backup:${key}`).toString('base64')],
	['as another header has it', Buffer.from(`backup1:${key}`).toString('base64')],
	['as a third one has it', Buffer.from(`backup12:${key}, and more`).toString('base64url')],
	['as a dump has it', Buffer.from(key).toString('hex')],
	['cut off', `token ${key.slice(0, 20)}`],
	['over two lines', `${key.slice(0, 20)}\n\t${key.slice(20)}`],
] as const)
	test(`\`Secrets\` takes a secret out that is told ${what}`, () => {
		const told = new Secrets(secretsIn(aws)).outOf(said);
		const plain = [told, Buffer.from(told, 'base64').toString(), Buffer.from(told, 'hex').toString()].join(' ');
		for (let at = 0; at + 10 <= key.length; at++) assert.ok(!plain.includes(key.slice(at, at + 10)), told);
		assert.ok(told.includes('[secret]'));
	});

test('`Secrets` leaves what is public, and whatever has no secret', () => {
	const text = 'no i-0123456789abcdef0 in eu-central-1 for my-project-12345, [default] aws_secret_access_key';
	assert.equal(new Secrets([...secretsIn(aws), ...secretsIn(google)]).outOf(text), text);
	assert.equal(new Secrets(['abc', '']).outOf('abc'), 'abc', 'too short to be one');
});

test('`Secrets` takes them out of all that an error tells, of which a history keeps a part', () => {
	const secrets = new Secrets(['hunter2hunter2']);
	const error = {
		code: 'internal',
		message: 'a hunter2hunter2',
		hint: 'hunter2hunter2?',
		details: { at: 'xhunter2hunter2x', n: 1 },
	} as const;
	assert.deepEqual(secrets.outOfError(error), {
		code: 'internal',
		message: 'a [secret]',
		hint: '[secret]?',
		details: { at: 'x[secret]x', n: 1 },
	});
	assert.ok(secrets.outOfError({ ...error, message: 'x'.repeat(3_000_000) }).message.length < 5_000);
});

test('`Secrets` takes them out of the prose of a result, and changes nothing that is compared', () => {
	const result = { tag: 'hunter2hunter2', left: ['import 1: hunter2hunter2'], plan: [{ why: 'hunter2hunter2', n: 1 }] };
	assert.deepEqual(new Secrets(['hunter2hunter2']).outOfProse(result), {
		tag: 'hunter2hunter2',
		left: ['import 1: [secret]'],
		plan: [{ why: '[secret]', n: 1 }],
	});
});

test('`secretsOf` refuses a credential that is a pipe, and does not wait for it', async t => {
	const { home, places } = await ImportInstallation.make(t);
	const path = join(home, 'credential');
	await rm(path);
	await runTool('mkfifo', ['-m', '600', path], { hint: 'install coreutils' });
	await assert.rejects(secretsOf(home, places.source), { code: 'config_invalid', message: /is no file/ });
});
