import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { makeToken, readToken } from '../../repository/service/point-token.ts';

const key = Buffer.alloc(32, 7);
const grant = {
	recoveryId: '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d',
	machine: 'web01',
	time: '2026-11-20T03:00:00.000Z',
	manifestDigest: 'ab'.repeat(32),
};

test('`readToken` gives back what `makeToken` was told', () => {
	assert.deepEqual(readToken(key, makeToken(key, grant)), grant);
});

test('`readToken` of a token with any character changed, taken away or added is `access_denied`', () => {
	const token = makeToken(key, grant);
	// The last character of the seal has two bits that are not of it: decoded they are the same seal.
	for (let at = 0; at < token.length - 1; at += 1) {
		const other = token[at] === 'A' ? 'B' : 'A';
		for (const changed of [other, ''])
			assert.throws(
				() => readToken(key, token.slice(0, at) + changed + token.slice(at + 1)),
				{ code: 'access_denied' },
				`${at}`,
			);
	}
	for (const cut of [
		token.slice(0, -1),
		token.slice(0, -3),
		token.split('.')[0] ?? '',
		'',
		'.',
		`${token}.`,
		`${token}AAAA`,
	])
		assert.throws(() => readToken(key, cut), { code: 'access_denied' }, cut);
});

test('`readToken` of what another key has made is `access_denied`, and is not repeated', () => {
	const token = makeToken(Buffer.alloc(32, 8), grant);
	assert.throws(
		() => readToken(key, token),
		(error: Error) => !error.message.includes(token.slice(0, 20)) && 'code' in error && error.code === 'access_denied',
	);
});

test('`readToken` of what this key has sealed for something else is `access_denied`', () => {
	const said = Buffer.from(JSON.stringify(grant)).toString('base64url');
	const seal = createHmac('sha256', key).update(said).digest('base64url');
	assert.throws(() => readToken(key, `${said}.${seal}`), { code: 'access_denied' });
});
