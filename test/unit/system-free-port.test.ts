import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
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

test('`freePort` gives none that the kernel would give to somebody who asks for any', async () => {
	const [first = 0] = (await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'latin1')).split('\t').map(Number);
	assert.ok(first > 10_000);
	for (let count = 0; count < 50; count++) {
		const port = await freePort();
		assert.ok(port >= 10_000 && port < first, `${port}`);
	}
});
