import assert from 'node:assert/strict';
import { readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../system/wait.ts';
import { simulate } from '../equipment/simulated-recovery.ts';

test('a machine that prints without end fills its log and an older one, which go with the recovery', async t => {
	const { host, recovery, clock } = await simulate(t);
	await recovery.run();
	const log = join(host.directory('r1'), 'machine.log');
	await writeFile(log, '');
	await truncate(log, 9 * 1024 * 1024);
	clock.pass(20_000);
	await waitFor('the log to be emptied', async () => (await stat(log)).size === 0, { timeoutMs: 10_000 });
	assert.equal((await stat(`${log}.1`)).size, 8 * 1024 * 1024);
	await recovery.step('discard', {});
	await assert.rejects(readdir(host.directory('r1')), { code: 'ENOENT' });
});
