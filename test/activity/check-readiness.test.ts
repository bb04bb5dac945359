import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { checkInputs } from '../../activities/checked-inputs.ts';
import { checkReadiness } from '../../activities/host/check-readiness.ts';
import type { Supervisor } from '../../activities/host-attempt.ts';
import { RouseError } from '../../model/errors.ts';
import type { ReadinessAnswer, ReadinessCheck } from '../../model/readiness.ts';
import type { Power } from '../../model/recovery.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { testHostId } from '../equipment/recovery-request.ts';

const recoveryId = testHostId;
const step = { hostId: testHostId, name: 'web01-r1', recoveryId, generation: 3 };

interface World {
	power?: () => Power;
	recoveryId?: string;
	agent?: () => Promise<{ answers: boolean; reason: string | null }>;
	checks?: string;
	environment?: MockActivityEnvironment;
	forwarded?: boolean;
	timeoutMs?: number;
}

function environmentOf(info = {}): MockActivityEnvironment {
	const logger = new DefaultLogger('ERROR');
	return new MockActivityEnvironment(
		{ activityType: 'checkReadiness', ...info },
		{ logger, interceptors: [checkInputs] },
	);
}

/** One call of the activity, on a host whose supervisor sees the machine like this. */
async function ask(check: ReadinessCheck, world: World = {}): Promise<ReadinessAnswer> {
	const { power = () => 'on', agent, checks = '/nowhere', timeoutMs = 1_000, forwarded = false } = world;
	const supervisor: Partial<Record<keyof Supervisor, unknown>> = {
		recovery: async () => ({ recoveryId: world.recoveryId ?? recoveryId, power: power() }),
		agent,
	};
	const host = {
		hostId: testHostId,
		supervisor: supervisor as unknown as Supervisor,
		recoveries: 5,
		reportCapacity: async () => undefined,
		checks,
	};
	const environment = world.environment ?? environmentOf();
	return environment.run(checkReadiness(host, { everyMs: 50 }) as (input: object) => Promise<ReadinessAnswer>, {
		...step,
		check,
		timeoutMs,
		forwarded,
	});
}

const ready: ReadinessAnswer = { ready: true, code: null, reason: null };

async function listening(t: TestContext, taken: (socket: Socket) => void = () => undefined) {
	const server: Server = createServer(socket => taken(socket.on('error', () => socket.destroy())));
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	t.after(() => server.close());
	const address = server.address();
	assert.ok(typeof address === 'object' && address);
	return { by: 'tcp', address: '127.0.0.1', port: address.port } as const;
}

/** A port on which nobody listens: it was one's a moment ago. */
async function closedPort(t: TestContext) {
	const server = createServer();
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const address = server.address();
	assert.ok(typeof address === 'object' && address);
	server.close();
	await once(server, 'close');
	t.diagnostic(`port ${address.port}`);
	return { by: 'tcp', address: '127.0.0.1', port: address.port } as const;
}

describe('`checkReadiness` by tcp', () => {
	it('is ready when somebody takes the connection', async t => {
		assert.deepEqual(await ask(await listening(t)), ready);
	});

	it('asks again until somebody does', async t => {
		const check = await closedPort(t);
		let server: Server | undefined;
		const power = () => {
			if (server === undefined) {
				server = createServer().listen(check.port, '127.0.0.1');
				t.after(() => server?.close());
				return 'off';
			}
			return 'on';
		};
		assert.deepEqual(await ask(check, { power, timeoutMs: 30_000 }), ready);
	});

	it('says at the end of its time why nobody did', async t => {
		const answer = await ask(await closedPort(t), { timeoutMs: 1_500 });
		assert.equal(answer.ready, false);
		assert.equal(answer.code, 'not_ready');
		assert.match(answer.reason ?? '', /ECONNREFUSED/);
	});

	it('on a forwarded port counts what the guest says, not that the connection was taken', async t => {
		const silent = await ask(await listening(t), { forwarded: true });
		assert.match(silent.reason ?? '', /speaks first/);
		const greets = await listening(t, socket => void socket.write('SSH-2.0'));
		assert.deepEqual(await ask(greets, { forwarded: true, timeoutMs: 30_000 }), ready);
	});
});

describe('`checkReadiness`', () => {
	it('of a machine that is off is not yet, and goes on when it is on again', async t => {
		const powers: Power[] = ['off', 'paused', 'on'];
		const check = await listening(t);
		assert.deepEqual(await ask(check, { power: () => powers.shift() ?? 'on', timeoutMs: 30_000 }), ready);
		assert.equal(powers.length, 0);
		const off = await ask(check, { power: () => 'off' });
		assert.deepEqual(off, { ready: false, code: 'not_ready', reason: 'the machine is off' });
	});

	it('ends at once when the recovery is not on the host any more', async t => {
		const other = await ask(await listening(t), {
			recoveryId: '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11',
			timeoutMs: 3_600_000,
		});
		assert.equal(other.code, 'recovery_unknown');
	});

	it('goes on while the supervisor is away, and tells in its heartbeats what is in the way', async t => {
		const environment = environmentOf();
		const beats: unknown[] = [];
		environment.on('heartbeat', (details: unknown) => beats.push(details));
		let looks = 0;
		const power = () => {
			if (++looks < 3) throw new RouseError('supervisor_unreachable', 'nobody answers');
			return 'on' as const;
		};
		assert.deepEqual(await ask(await listening(t), { power, environment, timeoutMs: 30_000 }), ready);
		assert.deepEqual(beats[0], { reason: 'nobody answers' });
	});

	it('is given no more time by the death of a worker', async t => {
		const environment = environmentOf({ scheduledTimestampMs: 1_000, currentAttemptScheduledTimestampMs: 3_601_000 });
		const answer = await ask(await closedPort(t), { environment, timeoutMs: 3_600_000 });
		assert.equal(answer.code, 'not_ready');
	});

	it('that is cancelled ends as that', async t => {
		const environment = environmentOf();
		environment.on('heartbeat', () => environment.cancel('CANCELLED'));
		const asked = ask(await closedPort(t), { environment, timeoutMs: 3_600_000 });
		await assert.rejects(asked, { name: 'CancelledFailure' });
	});
});

it('`checkReadiness` by the agent is what the supervisor says of it', async () => {
	const answers = [
		{ answers: false, reason: 'silent' },
		{ answers: true, reason: null },
	];
	const agent = async () => answers.shift() ?? { answers: false, reason: 'asked too often' };
	assert.deepEqual(await ask({ by: 'agent' }, { agent, timeoutMs: 30_000 }), ready);
	const never = await ask({ by: 'agent' }, { agent });
	assert.deepEqual(never, { ready: false, code: 'not_ready', reason: 'asked too often' });
});

it('`checkReadiness` by ping asks by the system’s program', async () => {
	assert.deepEqual(await ask({ by: 'ping', address: '127.0.0.1' }, { timeoutMs: 30_000 }), ready);
	// RFC 2606, section 2: no such name is ever known.
	const nobody = await ask({ by: 'ping', address: 'nobody.invalid' });
	assert.equal(nobody.ready, false);
	assert.match(nobody.reason ?? '', /nobody\.invalid/);
});

async function checksWith(t: TestContext, script: string, mode = 0o700): Promise<string> {
	const checks = join(await temporaryDirectory(t), 'checks');
	await mkdir(checks, { mode: 0o700 });
	await writeFile(join(checks, 'up'), script);
	await chmod(join(checks, 'up'), mode);
	return checks;
}

const up = (...args: string[]) => ({ by: 'command', name: 'up', args }) as const;

describe('`checkReadiness` by a command', () => {
	it('runs `checks/NAME` with its arguments as they are, and nothing of our environment', async t => {
		process.env['ROUSE_TEST_SECRET'] = 'secret';
		const out = join(await temporaryDirectory(t), 'out');
		const checks = await checksWith(t, '#!/bin/sh\n{ printf "%s\\n" "$2"; env; } >"$1"\n');
		assert.deepEqual(await ask(up(out, '$(id); x'), { checks, timeoutMs: 30_000 }), ready);
		const told = await readFile(out, 'utf8');
		assert.ok(told.startsWith('$(id); x\n'));
		assert.match(told, /ROUSE_RECOVERY=web01-r1/);
		assert.doesNotMatch(told, /secret/);
	});

	it('says its exit code and the end of what it said, without what steers a terminal', async t => {
		const checks = await checksWith(t, '#!/bin/sh\nyes x | head -c 100000\nprintf "no \\033[2J database"\nexit 3\n');
		const { code, reason } = await ask(up(), { checks });
		assert.equal(code, 'not_ready');
		assert.match(reason ?? '', /^checks\/up ended with exit code 3: .*no \\u001b\[2J database$/);
		assert.ok((reason ?? '').length < 1_000);
	});

	it('that does not end is ended with its time', { timeout: 60_000 }, async t => {
		const checks = await checksWith(t, '#!/bin/sh\nsleep 1000\n');
		assert.equal((await ask(up(), { checks })).code, 'timeout');
	});

	it('that others may write, that is a link, that is missing or may not be run is not run', async t => {
		const body = '#!/bin/sh\nexit 0\n';
		const linked = await checksWith(t, body);
		await symlink('/bin/true', join(linked, 'link'));
		const open = await checksWith(t, body);
		await chmod(open, 0o777);
		for (const [checks, name, why] of [
			[await checksWith(t, body, 0o722), 'up', /may be written by others/],
			[open, 'up', /may be written by others/],
			[linked, 'link', /is no file/],
			[linked, 'missing', /there is no check/],
			[await checksWith(t, body, 0o600), 'up', /may not be run/],
		] as const) {
			const answer = await ask({ by: 'command', name, args: [] }, { checks });
			assert.equal(answer.code, 'config_invalid', answer.reason ?? '');
			assert.match(answer.reason ?? '', why);
		}
	});
});
