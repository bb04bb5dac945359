import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { freePort, isFreePort } from '../../system/free-port.ts';

test('`isFreePort` is false of a port that somebody has, and of an address that this machine does not have', async t => {
	const port = await freePort();
	assert.ok(port > 0);
	assert.equal(await isFreePort(port), true);
	const other = createServer().listen(port, '127.0.0.1');
	t.after(() => void other.close());
	await once(other, 'listening');
	assert.equal(await isFreePort(port), false);
	// Of documentation: RFC 5737.
	assert.equal(await isFreePort(port, '192.0.2.1'), false);
});
