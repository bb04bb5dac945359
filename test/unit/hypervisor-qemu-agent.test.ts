import assert from 'node:assert/strict';
import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { agentAnswers } from '../../qmp/agent.ts';
import { agentRuns } from '../../hypervisors/qemu/agent-run.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

/** A guest's end, which gets the number that it is to say, and may say what it likes. */
async function guest(t: TestContext, says: (socket: Socket, id: number) => void): Promise<string> {
	const path = join(await temporaryDirectory(t), 'agent.sock');
	const sockets = new Set<Socket>();
	const server = createServer(socket => {
		sockets.add(socket.on('error', () => socket.destroy()));
		socket.on('data', bytes => {
			assert.equal(bytes[0], 0xff);
			const { execute, arguments: given } = JSON.parse(bytes.subarray(1).toString()) as {
				execute: string;
				arguments: { id: number };
			};
			assert.equal(execute, 'guest-sync-delimited');
			says(socket, given.id);
		});
	});
	server.listen(path);
	await once(server, 'listening');
	t.after(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	return path;
}

const answer = (id: number) => Buffer.concat([Buffer.of(0xff), Buffer.from(`{"return": ${id}}\n`)]);

test('`agentAnswers`: an agent that says the number that it was sent is there, whatever lay in the channel before', async t => {
	assert.equal(await agentAnswers(await guest(t, (socket, id) => socket.write(answer(id)))), true);
	const late = await guest(t, (socket, id) => {
		socket.write('{"return": {"half');
		socket.write(answer(7));
		const [one, two] = [answer(id).subarray(0, 5), answer(id).subarray(5)];
		socket.write(one, () => setImmediate(() => socket.write(two)));
	});
	assert.equal(await agentAnswers(late), true);
});

test('`agentAnswers`: one that says another number, nonsense, or nothing in time is not', {
	timeout: 60_000,
}, async t => {
	const withinMs = 300;
	for (const says of [
		(socket: Socket, id: number) => void socket.write(answer(id + 1)),
		(socket: Socket) => void socket.write('\n\n{"return": {}}\n'),
		(socket: Socket) => void socket.end('bye\n'),
		() => undefined,
	])
		assert.equal(await agentAnswers(await guest(t, says), { withinMs }), false);
});

test('`agentAnswers`: a guest that never stops talking is cut off, and not only by the time', {
	timeout: 60_000,
}, async t => {
	const endless = await guest(t, socket => {
		const more = () => void (socket.destroyed || socket.write(Buffer.alloc(16_384, 'x'), more));
		more();
	});
	assert.equal(await agentAnswers(endless, { withinMs: 120_000 }), false);
});

test('`agentAnswers`: without a socket, or with nobody behind it, there is no agent', async t => {
	const directory = await temporaryDirectory(t);
	assert.equal(await agentAnswers(join(directory, 'agent.sock')), false);
});

test('`agentAnswers`: what has taken the place of the socket is not followed', async t => {
	const real = await guest(t, (socket, id) => socket.write(answer(id)));
	const link = join(await temporaryDirectory(t), 'agent.sock');
	await symlink(real, link);
	await assert.rejects(agentAnswers(link), { code: 'identity_conflict' });
});

test('`agentAnswers`: an aborted signal ends it with its reason', async t => {
	const silent = await guest(t, () => undefined);
	await assert.rejects(agentAnswers(silent, { signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
});

/** A guest's agent that answers each command, one to a connection, as `says` has it. */
async function agent(t: TestContext, says: (execute: string, given: unknown) => unknown): Promise<string> {
	const path = join(await temporaryDirectory(t), 'agent.sock');
	const server = createServer(socket => {
		socket.on('error', () => socket.destroy());
		socket.on('data', bytes => {
			const text = bytes.toString('latin1').replace('\u00ff', '');
			const { execute, arguments: given } = JSON.parse(text) as { execute: string; arguments: { id: number } };
			if (execute === 'guest-sync-delimited') socket.write(answer(given.id));
			else socket.write(`${JSON.stringify(says(execute, given))}\n`);
		});
	});
	server.listen(path);
	await once(server, 'listening');
	t.after(() => server.close());
	return path;
}

const limits = { timeoutMs: 30_000, mostBytes: 8 };
const base64 = (text: string) => Buffer.from(text).toString('base64');

test('`agentRuns` starts a program, waits for its end, and gives the end of what it said', async t => {
	const asked: unknown[] = [];
	const path = await agent(t, (execute, given) => {
		asked.push([execute, given]);
		if (execute === 'guest-exec') return { return: { pid: 7 } };
		const ended = { exited: true, exitcode: 3, 'out-data': base64('0123456789'), 'err-data': base64('!') };
		return { return: asked.length < 3 ? { exited: false } : ended };
	});
	assert.deepEqual(await agentRuns(path, ['/bin/x', 'a b'], limits), { exitCode: 3, output: '3456789!' });
	assert.deepEqual(asked, [
		['guest-exec', { path: '/bin/x', arg: ['a b'], 'capture-output': true }],
		['guest-exec-status', { pid: 7 }],
		['guest-exec-status', { pid: 7 }],
	]);
});

test('`agentRuns` tells a refusal, nonsense, and a program that does not end', async t => {
	const refusing = await agent(t, () => ({ error: { class: 'GenericError', desc: 'guest-exec is disabled' } }));
	await assert.rejects(agentRuns(refusing, ['x'], limits), { code: 'not_ready', message: /guest-exec is disabled/ });
	const raving = await agent(t, () => ({ return: { pid: 'x' } }));
	await assert.rejects(agentRuns(raving, ['x'], limits), { code: 'not_ready' });
	const endless = await agent(t, execute => ({ return: execute === 'guest-exec' ? { pid: 1 } : { exited: false } }));
	await assert.rejects(agentRuns(endless, ['x'], { ...limits, timeoutMs: 200 }), { code: 'timeout' });
});

test('`agentRuns` waits for an answer as long as the limit says, and not until some other', async t => {
	const silent = await guest(t, () => undefined);
	const begin = performance.now();
	await assert.rejects(agentRuns(silent, ['x'], { ...limits, timeoutMs: 200 }), { code: 'not_ready' });
	assert.ok(performance.now() - begin < 3_000);
});
