import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { Duplex, PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { serveJson } from '../../system/unix-http.ts';
import { openStream, serveStreams, type StreamHandler } from '../../system/unix-stream.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const asked = { protocol: 'console', unreachable: 'supervisor_unreachable', timeoutMs: 5_000 } as const;

async function serve(t: TestContext, handle: StreamHandler): Promise<string> {
	const socket = join(await temporaryDirectory(t), 'server.sock');
	const server = await serveJson(socket, async () => ({ json: true }));
	serveStreams(server, 'console', handle);
	t.after(() => {
		server.close();
		server.closeAllConnections();
	});
	return socket;
}

test('`openStream` carries bytes in both directions, and the path', async t => {
	let path: readonly string[] = [];
	const socket = await serve(t, async call => {
		path = call.path;
		return new PassThrough();
	});
	const stream = await openStream(socket, '/consoles/web01-r1/serial', asked);
	stream.write('hello');
	assert.equal(String((await once(stream, 'data'))[0]), 'hello');
	assert.deepEqual(path, ['consoles', 'web01-r1', 'serial']);
	stream.destroy();
});

test('`openStream` throws what the handler threw, by code, message and hint', async t => {
	const socket = await serve(t, async () => {
		throw new RouseError('phase_wrong', 'the machine is off', { hint: 'power it on' });
	});
	await assert.rejects(openStream(socket, '/consoles/x/serial', asked), {
		code: 'phase_wrong',
		message: 'the machine is off',
		hint: 'power it on',
	});
});

test('`openStream` of a socket where nobody listens is the code that was asked for', async t => {
	const socket = join(await temporaryDirectory(t), 'nobody.sock');
	await assert.rejects(openStream(socket, '/', asked), { code: 'supervisor_unreachable' });
});

test('`openStream` of another protocol is refused', async t => {
	const socket = await serve(t, async () => new PassThrough());
	await assert.rejects(openStream(socket, '/', { ...asked, protocol: 'other' }), { code: 'protocol' });
});

test('a caller of `openStream` who goes away ends the other side', async t => {
	const { promise: closed, resolve } = Promise.withResolvers<void>();
	const socket = await serve(
		t,
		async () =>
			new Duplex({
				read() {},
				write: (_bytes, _encoding, done) => done(),
				destroy(_error, done) {
					resolve();
					done(null);
				},
			}),
	);
	const stream = await openStream(socket, '/consoles/x/serial', asked);
	stream.destroy();
	await closed;
});
