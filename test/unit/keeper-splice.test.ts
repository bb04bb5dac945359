import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { splice } from '../../keeper/door/splice.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

async function listening(t: TestContext, server: Server, path: string): Promise<string> {
	server.listen(path);
	await once(server, 'listening');
	t.after(() => server.close());
	return path;
}

test('`splice` brings all that was said before an end, also to one who reads slowly', async t => {
	const directory = await temporaryDirectory(t);
	for (const sizeBytes of [1, 65_536, 300_000, 3_000_001]) {
		const said = Buffer.alloc(sizeBytes, 7);
		const end = await listening(
			t,
			createServer(socket => socket.end(said)),
			join(directory, `end${sizeBytes}`),
		);
		const door = createServer(caller => splice(caller, { path: end }));
		const caller = connect(await listening(t, door, join(directory, `door${sizeBytes}`)));
		let heard = 0;
		for await (const part of caller) {
			heard += (part as Buffer).length;
			await delay(1);
		}
		assert.equal(heard, sizeBytes);
	}
});

test('`splice` ends a caller whose call leads nowhere, and a call whose caller is gone', async t => {
	const directory = await temporaryDirectory(t);
	const nowhere = createServer(caller => splice(caller, { path: join(directory, 'nobody') }));
	await once(connect(await listening(t, nowhere, join(directory, 'door'))), 'close');

	const called = createServer();
	const end = await listening(t, called, join(directory, 'end'));
	const door = createServer(caller => splice(caller, { path: end }));
	const caller = connect(await listening(t, door, join(directory, 'door2')));
	const [callee] = await once(called, 'connection');
	caller.destroy();
	callee.resume();
	await once(callee, 'close');
});
