import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, suite, test } from 'node:test';
import * as z from 'zod';
import { QmpClient, query } from '../../qmp/client.ts';

const requestSchema = z.object({ execute: z.string(), id: z.string() });
type Request = z.infer<typeof requestSchema>;

/** A monitor whose answers the test decides. */
async function monitor(t: TestContext, answer: (request: Request, socket: Socket) => void, greets = true) {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-qmp-'));
	const sockets = new Set<Socket>();
	const server = createServer(socket => {
		sockets.add(socket);
		socket.on('error', () => socket.destroy());
		if (greets) socket.write('{"QMP": {"version": {}}}\r\n');
		socket.on('data', bytes => {
			for (const line of bytes.toString().trim().split('\n')) {
				const request = requestSchema.parse(JSON.parse(line));
				if (request.execute === 'qmp_capabilities') say(socket, { return: {}, id: request.id });
				else answer(request, socket);
			}
		});
	});
	const path = join(directory, 'qmp.sock');
	server.listen(path);
	await once(server, 'listening');
	t.after(async () => {
		for (const socket of sockets) socket.destroy();
		server.close();
		await rm(directory, { recursive: true });
	});
	return path;
}

function say(socket: Socket, document: unknown): void {
	socket.write(`${JSON.stringify(document)}\r\n`);
}

async function connected(t: TestContext, path: string): Promise<QmpClient> {
	const client = await QmpClient.connect(path, { timeoutMs: 5_000 });
	t.after(() => client.close());
	return client;
}

suite('QmpClient', () => {
	test('`execute` gets its own answer, in whatever order they come', async t => {
		const requests: Request[] = [];
		const path = await monitor(t, (request, socket) => {
			requests.push(request);
			if (requests.length === 2)
				for (const { id, execute } of requests.toReversed()) say(socket, { return: execute, id });
		});
		const client = await connected(t, path);
		assert.deepEqual(await Promise.all([client.execute('one'), client.execute('two')]), ['one', 'two']);
	});

	test('`execute` without an answer is `hypervisor_stuck`, and the connection lives on without the late one', async t => {
		const late: (() => void)[] = [];
		const path = await monitor(t, ({ id, execute }, socket) => {
			if (execute === 'stop') late.push(() => say(socket, { return: 'late', id }));
			else {
				for (const answer of late) answer();
				say(socket, { return: 'in time', id });
			}
		});
		const client = await connected(t, path);
		await assert.rejects(client.execute('stop', undefined, { timeoutMs: 20 }), { code: 'hypervisor_stuck' });
		assert.equal(await client.execute('query-status'), 'in time');
		assert.equal(client.closed, false);
	});

	test('`connect` to a monitor that another client has is `hypervisor_stuck`', async t => {
		const path = await monitor(t, () => {}, false);
		await assert.rejects(QmpClient.connect(path, { timeoutMs: 50 }), { code: 'hypervisor_stuck' });
	});

	test('`connect` where nobody listens is `hypervisor_failed`', async () => {
		await assert.rejects(QmpClient.connect(join(tmpdir(), 'rouse-nobody.sock')), { code: 'hypervisor_failed' });
	});

	test('`connect` where a link is in the place of the monitor is `identity_conflict`, and nobody is connected to', async t => {
		const path = await monitor(t, () => assert.fail('connected'), false);
		const link = `${path}.link`;
		await symlink(path, link);
		await assert.rejects(QmpClient.connect(link, { timeoutMs: 5_000 }), { code: 'identity_conflict' });
	});

	test('`execute` that is refused is `hypervisor_failed` with command, description and class', async t => {
		const path = await monitor(t, ({ id }, socket) =>
			say(socket, { id, error: { class: 'DeviceNotFound', desc: 'no such node' } }),
		);
		const client = await connected(t, path);
		await assert.rejects(client.execute('blockdev-del'), {
			code: 'hypervisor_failed',
			message: 'QMP blockdev-del: no such node',
			details: { class: 'DeviceNotFound' },
		});
	});

	test('`execute` in flight and later is `hypervisor_failed` when QEMU goes away', async t => {
		const path = await monitor(t, (_request, socket) => socket.destroy());
		const client = await connected(t, path);
		await assert.rejects(client.execute('quit'), { code: 'hypervisor_failed' });
		assert.equal(client.closed, true);
		await assert.rejects(client.execute('query-status'), { code: 'hypervisor_failed' });
	});

	test('`waitForEvent` gives the event that matches, and `timeout` when none comes', async t => {
		const path = await monitor(t, ({ id }, socket) => {
			say(socket, { event: 'STOP' });
			say(socket, { event: 'JOB_STATUS_CHANGE', data: { id: 'commit0', status: 'ready' } });
			say(socket, { return: {}, id });
		});
		const client = await connected(t, path);
		const ready = client.waitForEvent(({ data }) => data['status'] === 'ready', 5_000);
		await client.execute('block-commit');
		assert.equal((await ready).data['id'], 'commit0');
		await assert.rejects(
			client.waitForEvent(() => true, 10),
			{ code: 'timeout' },
		);
	});

	test('`query` with an answer of another shape is `protocol`', async t => {
		const path = await monitor(t, ({ id }, socket) => say(socket, { return: { running: 'yes' }, id }));
		const client = await connected(t, path);
		await assert.rejects(query(client, 'query-status', z.object({ running: z.boolean() })), { code: 'protocol' });
	});
});
