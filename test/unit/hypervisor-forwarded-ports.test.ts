import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { checkPorts } from '../../hypervisors/qemu/user-network.ts';

const forward = (port: number) => [{ address: '127.0.0.1', port, guestPort: 22 }];
const firstFree = async () => 1024;

test('`checkPorts` refuses ports of root for a machine that runs as another user, and those that are taken', async () => {
	await assert.rejects(checkPorts(forward(443), { asUser: true, firstFree }), {
		code: 'precheck_failed',
		message: /127\.0\.0\.1:443 .* below 1024/,
		hint: /from 1024 up/,
	});
	const server = createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const address = server.address();
	assert.ok(typeof address === 'object' && address);
	await assert.rejects(checkPorts(forward(address.port), { asUser: true, firstFree }), { code: 'precheck_failed' });
	server.close();
	await once(server, 'close');
	await checkPorts(forward(address.port), { asUser: true, firstFree });
	await checkPorts([], { asUser: true });
});
