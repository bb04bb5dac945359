import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RepositoryMoverControl } from '../../movers/client.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

test('a mover whose log cannot be written, because the disk is full, runs on', async t => {
	const directory = await temporaryDirectory(t);
	const controlSocket = join(directory, 'control.sock');
	const configPath = join(directory, 'mover.json');
	const config = { repository: directory, chunkSocket: join(directory, 'chunks.sock'), controlSocket };
	await writeFile(configPath, JSON.stringify(config));
	const main = fileURLToPath(new URL('../../movers/repository-mover/main.ts', import.meta.url));
	const full = await open('/dev/full', 'w'); // every write: ENOSPC
	const mover = spawn(process.execPath, [main, configPath], { stdio: ['ignore', full.fd, 'inherit'] });
	const ended = once(mover, 'exit');
	t.after(async () => {
		mover.kill('SIGKILL');
		await ended;
		await full.close();
	});
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
