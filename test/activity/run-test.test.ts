import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { checkInputs } from '../../activities/checked-inputs.ts';
import { runTest } from '../../activities/host/drill/run-test.ts';
import type { Supervisor } from '../../activities/host-attempt.ts';
import type { DrillCheck } from '../../model/drill.ts';
import { RouseError } from '../../model/errors.ts';
import type { TestResult } from '../../model/drill-report.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { testHostId } from '../equipment/recovery-request.ts';

const drilled = { recoveryId: testHostId, drill: { name: 'weekly' }, forwards: [] as object[] };

/** One call of the activity, on a host whose supervisor sees the machine like this. */
function run(
	check: DrillCheck,
	world: { view?: object; checks?: string; more?: object; timeoutMs?: number } = {},
): Promise<TestResult> {
	const { view = drilled, checks = '/nowhere', more = {}, timeoutMs = 1_000 } = world;
	const supervisor: Partial<Record<keyof Supervisor, unknown>> = { recovery: async () => view, ...more };
	const host = {
		hostId: testHostId,
		supervisor: supervisor as unknown as Supervisor,
		recoveries: 5,
		reportCapacity: async () => undefined,
		checks,
	};
	const environment = new MockActivityEnvironment(
		{ activityType: 'runTest' },
		{ logger: new DefaultLogger('ERROR'), interceptors: [checkInputs] },
	);
	return environment.run(runTest(host) as (input: object) => Promise<TestResult>, {
		hostId: testHostId,
		name: 'web01-drill',
		recoveryId: testHostId,
		generation: 0,
		test: { name: 'a test', check, timeoutMs },
	});
}

const ssh = { by: 'ssh', address: '127.0.0.1', port: 22, user: 'root', command: 'true' } as const;

test("`runTest` runs nothing on a machine that its host does not know as a drill's", async () => {
	const more = { agentRun: () => assert.fail('it was run') };
	for (const view of [
		{ ...drilled, drill: null },
		{ ...drilled, recoveryId: '5b0c3f0e-6d1f-4c56-9a3e-0d4c2d1b7a11' },
	])
		await assert.rejects(run({ by: 'agent', command: ['x'] }, { view, more }), { type: 'identity_conflict' });
});

test('`runTest` is tried again when the supervisor is away, and says nothing about the machine', async () => {
	const more = {
		agentRun: async () => {
			throw new RouseError('supervisor_unreachable', 'nobody answers');
		},
	};
	await assert.rejects(run({ by: 'agent', command: ['x'] }, { more }), { type: 'supervisor_unreachable' });
});

test('`runTest` takes ssh to no place but a port that is forwarded to this machine', async () => {
	const { passed, code, reason } = await run(ssh);
	assert.deepEqual([passed, code], [false, 'config_invalid']);
	assert.match(reason ?? '', /not forwarded to this machine/);
});

test('`runTest` takes ssh to no other address because it has the port of one that is forwarded', async () => {
	const tried = async (from: string, address: string) => {
		const forwards = [{ address: from, port: 9, guestPort: 22 }];
		return (await run({ ...ssh, port: 9, address }, { view: { ...drilled, forwards } })).code;
	};
	for (const address of ['db01', '127.example.org', '192.0.2.1'])
		assert.equal(await tried('0.0.0.0', address), 'config_invalid', address);
	for (const address of ['127.0.0.1', 'localhost']) assert.equal(await tried('192.0.2.1', address), 'config_invalid');
	for (const address of ['127.0.0.1', 'localhost']) {
		assert.notEqual(await tried('127.0.0.1', address), 'config_invalid');
		assert.notEqual(await tried('0.0.0.0', address), 'config_invalid');
	}
});

test('`runTest` on a forwarded port wants a greeting, since QEMU takes connections itself', async t => {
	const server = createServer(socket => socket.on('error', () => socket.destroy()));
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	t.after(() => server.close());
	const address = server.address();
	assert.ok(typeof address === 'object' && address);
	const { port } = address;
	const tcp = { by: 'tcp', address: '127.0.0.1', port } as const;
	const forwards = [{ address: '127.0.0.1', port, guestPort: 22 }];
	assert.deepEqual(
		[(await run(tcp)).passed, (await run(tcp, { view: { ...drilled, forwards } })).passed],
		[true, false],
	);
});

test('`runTest` by tcp says at the end of its time why nobody answered', async () => {
	const server = createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const address = server.address();
	assert.ok(typeof address === 'object' && address);
	server.close();
	await once(server, 'close');
	const { port } = address;
	const { code, reason } = await run({ by: 'tcp', address: '127.0.0.1', port }, { timeoutMs: 1_500 });
	assert.equal(code, 'drill_failed');
	assert.match(reason ?? '', /ECONNREFUSED/);
});

test('`runTest` tells what a program said and how it ended, and hears a serial console', async t => {
	const checks = join(await temporaryDirectory(t), 'checks');
	await mkdir(checks, { mode: 0o700 });
	await writeFile(join(checks, 'own'), '#!/bin/sh\necho "$ROUSE_RECOVERY $1"; exit 3\n', { mode: 0o700 });
	const own = await run({ by: 'command', name: 'own', args: ['x'] }, { checks });
	assert.deepEqual([own.passed, own.output, own.reason], [false, 'web01-drill x', 'it ended with exit code 3']);
	const echo = () =>
		new Duplex({
			read: () => undefined,
			write(chunk: Buffer, _encoding, done) {
				this.push(chunk);
				done();
			},
		});
	const more = { console: async () => echo() };
	assert.equal((await run({ by: 'serial', send: 'hello', expect: 'ell' }, { more })).passed, true);
	const silent = await run({ by: 'serial', send: 'hello', expect: 'login' }, { more });
	assert.deepEqual([silent.passed, silent.output], [false, 'hello']);
});
