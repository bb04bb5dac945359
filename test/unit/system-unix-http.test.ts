import assert from 'node:assert/strict';
import { mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { chmod, stat, writeFile } from 'node:fs/promises';
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

test('`listenOnSocket` makes a socket that is its user’s alone, and changes nothing that takes its place', async t => {
	const directory = await temporaryDirectory(t);
	const socketPath = join(directory, 'http.sock');
	const other = join(directory, 'other');
	await writeFile(other, '');
	await chmod(other, 0o644);
	const usual = process.umask(0);
	t.after(() => process.umask(usual));
	const server = createServer();
	t.after(() => server.close());
	server.once('listening', () => {
		renameSync(socketPath, `${socketPath}.moved`);
		symlinkSync(other, socketPath);
	});
	await listenOnSocket(server, socketPath);
	assert.equal(process.umask(), 0);
	assert.equal((await stat(`${socketPath}.moved`)).mode & 0o777, 0o700);
	assert.equal((await stat(other)).mode & 0o777, 0o644);
});

test('a directory that is made while `listenOnSocket` makes its socket can be entered by its owner', async t => {
	const directory = await temporaryDirectory(t);
	const meanwhile = join(directory, 'meanwhile');
	const server = createServer();
	t.after(() => server.close());
	const listen = server.listen.bind(server);
	t.mock.method(server, 'listen', (path: string, listening: () => void) => {
		mkdirSync(meanwhile, { mode: 0o700 });
		return listen(path, listening);
	});
	await listenOnSocket(server, join(directory, 'http.sock'));
	assert.equal((await stat(meanwhile)).mode & 0o777, 0o700);
});
