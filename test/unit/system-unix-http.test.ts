import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { callJson, listenOnSocket } from '../../system/unix-http.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

test('`callJson` with an answer that is not JSON is `protocol`', async t => {
	const socketPath = join(await temporaryDirectory(t), 'http.sock');
	const server = createServer((_incoming, outgoing) => outgoing.end('<html>'));
	await listenOnSocket(server, socketPath);
	t.after(() => server.close());
	const call = callJson(socketPath, 'GET', '/state', undefined, { unreachable: 'mover_unreachable' });
	await assert.rejects(call, { code: 'protocol' });
});
