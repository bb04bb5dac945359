import assert from 'node:assert/strict';
import { chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { inTrialDirectory } from '../../hypervisors/qemu/trial-directory.ts';
import { nobody, temporaryDirectory } from '../equipment/captive.ts';

test('`inTrialDirectory` removes what dead processes of this user left, and nothing else', async t => {
	const parent = await temporaryDirectory(t);
	const precious = join(parent, 'precious');
	await mkdir(precious);
	await writeFile(join(precious, 'file'), 'kept');
	await inTrialDirectory(async running => {
		assert.equal((await stat(running)).mode & 0o777, 0o700);
		const dead = (end: string) => join(parent, basename(running).replace(/-\d+-\d+-\w+$/, `-${process.pid}-1-${end}`));
		await mkdir(join(dead('left'), 'machine'), { recursive: true });
		await symlink(precious, dead('linked'));
		const elsewhere = dead('elsewhere').replace(/trial-\d+/, 'trial-1');
		await mkdir(elsewhere); // of another namespace of processes
		const kept = [running, precious, dead('linked'), elsewhere];
		if (process.getuid?.() === 0) {
			await mkdir(dead('anothers'));
			await chown(dead('anothers'), nobody, nobody);
			kept.push(dead('anothers'));
		}
		await inTrialDirectory(async other => {
			assert.deepEqual((await readdir(parent)).toSorted(), [...kept, other].map(path => basename(path)).toSorted());
		}, parent);
		assert.deepEqual((await readdir(parent)).toSorted(), kept.map(path => basename(path)).toSorted());
	}, parent);
	assert.equal(await readFile(join(precious, 'file'), 'utf8'), 'kept');
});
