import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultName, hashRequest } from '../../client/requests.ts';
import { makeRequest } from '../equipment/recovery-request.ts';

describe('the name of a recovery', () => {
	it('by default is the same each time, and never too long', () => {
		assert.equal(defaultName('web01'), 'web01-r1');
		assert.equal(defaultName('a'.repeat(40)).length, 40);
	});
});

describe('the hash of a request', () => {
	it('is the same whoever asks and why, and in whatever order the networks were written', () => {
		const hash = hashRequest(makeRequest({ networks: { a: 'user', b: 'none' } }));
		assert.equal(
			hashRequest(makeRequest({ networks: { b: 'none', a: 'user' }, requestedBy: 'ben', reason: 'other' })),
			hash,
		);
		assert.notEqual(hashRequest(makeRequest({ networks: { a: 'user', b: 'user' } })), hash);
	});
});
