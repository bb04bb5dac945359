/** A disk that is full must not end what looks after a guest: /dev/full answers every write with ENOSPC. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RepositoryMoverControl } from '../../movers/client.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

/** A program of the checkout whose standard error is a full disk. */
async function startOnFullDisk(t: TestContext, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
	const [program = '', ...rest] = args;
	const main = fileURLToPath(new URL(`../../${program}`, import.meta.url));
	const full = await open('/dev/full', 'w');
	const child = spawn(process.execPath, [main, ...rest], {
		stdio: ['ignore', 'inherit', full.fd],
		env: { ...process.env, ...env },
	});
	const ended = once(child, 'exit');
	t.after(async () => {
		child.kill('SIGKILL');
		await ended;
		await full.close();
	});
	return child;
}

test('a mover whose log cannot be written runs on', async t => {
	const directory = await temporaryDirectory(t);
	const controlSocket = join(directory, 'control.sock');
	const configPath = join(directory, 'mover.json');
	const config = {
		repository: directory,
		chunkSocket: join(directory, 'chunks.sock'),
		controlSocket,
		recoveries: directory,
	};
	await writeFile(configPath, JSON.stringify(config));
	const mover = await startOnFullDisk(t, ['movers/repository-mover/main.ts', configPath]);
	const control = new RepositoryMoverControl(controlSocket);
	const state = await waitFor(
		'the mover to answer',
		() => {
			assert.equal(mover.exitCode, null, 'it has ended');
			return control.state().catch(() => undefined);
		},
		{ timeoutMs: 15_000 },
	);
	assert.equal(state.repository, directory);
});

test('a supervisor whose log cannot be written runs on', async t => {
	const host = await SupervisedHost.create(t);
	await symlink('/dev/full', host.logPath);
	await host.start();
	const pid = await host.pid();
	// Each of these is a line.
	const recoveryId = '6fd6e0a5-3f0d-4f1f-9d3c-0a4b8f9f8d11';
	for (let generation = 1; generation <= 3; generation++)
		await assert.rejects(host.client.step('web01-r1', 'snapshot', { recoveryId, generation }), {
			code: 'recovery_unknown',
		});
	assert.equal(await host.pid(), pid);
});

test('a worker whose log cannot be written runs on', async t => {
	const home = await temporaryDirectory(t);
	let asked = 0;
	const nobody = createServer(socket => {
		asked += 1;
		socket.destroy();
	}).listen(0, '127.0.0.1');
	await once(nobody, 'listening');
	t.after(() => nobody.close());
	const address = nobody.address();
	assert.ok(typeof address === 'object' && address);
	await writeFile(join(home, 'config.yaml'), `temporal: { address: "127.0.0.1:${address.port}" }\n`);
	const worker = await startOnFullDisk(t, ['workers/main.ts', '--roles', 'control'], { ROUSE_HOME: home });
	// After each time it logs that Temporal does not answer.
	await waitFor(
		'the worker to ask again',
		() => {
			assert.equal(worker.exitCode, null, 'it has ended');
			return asked >= 4;
		},
		{ timeoutMs: 30_000 },
	);
});
