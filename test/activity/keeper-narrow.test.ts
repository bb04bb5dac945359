import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
	type ClientHttp2Session,
	connect,
	constants,
	createServer,
	type IncomingHttpHeaders,
	type ServerHttp2Session,
	type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createPlain, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Narrowed, narrow } from '../../keeper/door/narrow.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

interface Bench {
	session: ClientHttp2Session;
	behind: Set<ServerHttp2Session>;
	refused: (string | undefined)[];
}

/** What is said in `/asked` decides. */
const objection: Narrowed['objection'] = path => {
	if (path === '/asked') return async message => (message.equals(Buffer.from('please')) ? undefined : 'not like this');
	return path === '/good' ? undefined : 'no such call';
};

/** A server behind a narrow door that lets `/good` through, and a caller in front of it. */
async function bench(
	t: TestContext,
	answer: (call: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<Bench> {
	const socket = join(await temporaryDirectory(t), 'server.sock');
	const behind = new Set<ServerHttp2Session>();
	const server = createServer();
	server.on('session', session => behind.add(session.on('error', () => {})));
	server.on('stream', (call, headers) =>
		answer(
			call.on('error', () => {}),
			headers,
		),
	);
	server.listen(socket);
	const refused: (string | undefined)[] = [];
	const door = createPlain(caller => narrow(caller, { socket, objection, onRefused: path => refused.push(path) }));
	door.listen(0, '127.0.0.1');
	await Promise.all([once(server, 'listening'), once(door, 'listening')]);
	const { port } = door.address() as AddressInfo;
	const session = connect(`http://127.0.0.1:${port}`);
	session.on('error', () => {});
	t.after(() => {
		session.destroy();
		for (const one of behind) one.destroy();
		door.close();
		server.close();
	});
	return { session, behind, refused };
}

/** A call with everything that comes of it; `how` it ended as HTTP/2 says it. */
async function ask(session: ClientHttp2Session, path: string, body: Buffer) {
	const call = session.request({
		':method': 'POST',
		':path': path,
		'content-type': 'application/grpc',
		said: 'a',
		te: 'trailers',
	});
	let [headers, trailers]: IncomingHttpHeaders[] = [];
	let bytes = Buffer.alloc(0);
	call.on('response', got => (headers = got));
	call.on('trailers', got => (trailers = got));
	call.on('data', (part: Buffer) => (bytes = Buffer.concat([bytes, part])));
	call.on('error', () => {});
	call.end(body);
	await new Promise(resolve => call.once('close', resolve));
	return { headers, trailers, bytes, how: call.rstCode };
}

test('`narrow` hands a call on whole, both ways, with headers and trailers, whatever its size', async t => {
	const { session } = await bench(t, (call, headers) => {
		call.respond({ ':status': 200, heard: headers['said'] }, { waitForTrailers: true });
		call.on('wantTrailers', () => call.sendTrailers({ 'grpc-status': '0' }));
		call.pipe(call);
	});
	for (const sizeBytes of [0, 5, 3 * 1024 * 1024]) {
		const body = Buffer.alloc(sizeBytes, 'echo');
		const { headers, trailers, bytes, how } = await ask(session, '/good', body);
		assert.deepEqual([headers?.['heard'], trailers?.['grpc-status'], how], ['a', '0', 0]);
		assert.ok(bytes.equals(body));
	}
});

test('`narrow` hands on an answer of headers alone, and one that is broken off', async t => {
	let broken = false;
	const { session } = await bench(t, call => {
		if (broken) call.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
		else call.respond({ ':status': 200, 'grpc-status': '5' }, { endStream: true });
	});
	const { headers, how } = await ask(session, '/good', Buffer.alloc(3));
	assert.deepEqual([headers?.['grpc-status'], how], ['5', 0]);
	broken = true;
	assert.equal((await ask(session, '/good', Buffer.alloc(3))).how, constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

test('`narrow` answers a call that is not allowed itself, tells of it once a connection, and goes on with others', async t => {
	let heard = 0;
	const { session, refused } = await bench(t, call => {
		heard += 1;
		call.respond({ ':status': 200 }, { endStream: true });
	});
	for (const path of ['/bad', '/good/', '/other']) {
		const { headers, how } = await ask(session, path, Buffer.alloc(100_000));
		assert.deepEqual([headers?.['grpc-status'], how], ['7', 0], path);
	}
	assert.deepEqual([heard, refused], [0, ['/bad']]);
	assert.equal((await ask(session, '/good', Buffer.alloc(3))).headers?.[':status'], 200);
});

test('`narrow` asks of a call what it says, and hands it on whole, or answers it itself', async t => {
	const heard: Buffer[] = [];
	const { session, refused } = await bench(t, call => {
		call.on('data', (part: Buffer) => heard.push(part));
		call.respond({ ':status': 200, 'grpc-status': '0' }, { endStream: true });
	});
	const status = async (body: string | Buffer) =>
		(await ask(session, '/asked', Buffer.from(body))).headers?.['grpc-status'];
	assert.equal(await status('please'), '0');
	assert.equal(String(Buffer.concat(heard)), 'please');
	for (const body of ['', 'now', Buffer.alloc(1024 * 1024, 'please')]) assert.equal(await status(body), '7');
	assert.deepEqual([String(Buffer.concat(heard)), refused], ['please', ['/asked']]);
	assert.equal(await status('please'), '0');
});

test('`narrow` ends a call that its caller gives up, and all of them with either side', async t => {
	const held = new Set<ServerHttp2Stream>();
	const { session, behind } = await bench(t, call => {
		held.add(call);
		call.once('close', () => held.delete(call));
	});
	const waits = () => session.request({ ':method': 'POST', ':path': '/good' }).on('error', () => {});
	const given = waits();
	waits();
	await waitFor('both calls', () => held.size === 2, { timeoutMs: 10_000 });
	given.close(constants.NGHTTP2_CANCEL);
	await waitFor('the one to end', () => held.size === 1, { timeoutMs: 10_000 });
	for (const one of behind) one.destroy();
	await waitFor('the caller to be cut', () => session.closed, { timeoutMs: 10_000 });
});

test('`narrow` lets what is under way end when the server wants another connection, and says so to its caller', async t => {
	const held: ServerHttp2Stream[] = [];
	const { session, behind } = await bench(t, call => void held.push(call));
	const asked = ask(session, '/good', Buffer.alloc(3));
	await waitFor('the call', () => held.length === 1, { timeoutMs: 10_000 });
	let told = false;
	session.once('goaway', () => (told = true));
	for (const one of behind) one.close();
	await waitFor('the caller to be told', () => told, { timeoutMs: 10_000 });
	held[0]?.respond({ ':status': 200, 'grpc-status': '0' }, { endStream: true });
	const { headers, how } = await asked;
	assert.deepEqual([headers?.['grpc-status'], how], ['0', 0]);
	await waitFor('the connection to end', () => session.destroyed, { timeoutMs: 10_000 });
});
