import assert from 'node:assert/strict';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { cleanUp } from '../../cli/demo/clean-up.ts';
import { serviceFiles } from '../../keeper/services.ts';
import { openInstallation, places } from '../../system/installation.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { endHolder, spawnLocked } from '../../system/spawn-locked.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

test('`cleanUp` of a demonstration leaves none of its processes and sockets, and its files to whoever looks', async t => {
	const locks: string[] = [];
	const directory = await temporaryDirectory(t, () => Promise.all(locks.map(path => endHolder(path))));
	const installation = await openInstallation(join(directory, 'home'));
	const { home, runDirectory } = installation;
	const recovery = join(places.recoveries(home), 'demo-r1');
	locks.push(
		...(['keeper', 'temporal', 'supervisor'] as const).map(name => serviceFiles(home, name).lockPath),
		...['machine', 'mount-mover'].map(name => join(recovery, `${name}.lock`)),
		join(places.repositoryMovers(home), '0123.lock'),
	);
	for (const lockPath of locks) {
		await mkdir(dirname(lockPath), { recursive: true });
		await spawnLocked({ lockPath, logPath: `${lockPath}.log`, command: 'sleep', args: ['600'] });
	}
	await cleanUp(installation);
	for (const path of locks) assert.equal(await lockHolder(path), undefined, path);
	await stat(`${join(recovery, 'machine.lock')}.log`);
	await assert.rejects(stat(runDirectory), { code: 'ENOENT' });
});
