import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../equipment/captive.ts';
import { run } from '../equipment/served-disk.ts';

/** What `presentationProblem` says where a shell command has changed what is mounted, for it alone. */
async function problemAfter(change: string, ...command: string[]): Promise<unknown> {
	const script = `
		import { presentationProblem } from ${JSON.stringify(new URL('../../hypervisors/hyperv/iscsi/presentation-problem.ts', import.meta.url).href)};
		console.log(JSON.stringify(await presentationProblem() ?? null));`;
	const node = [...command, process.execPath, '--input-type=module-typescript', '--eval', script];
	return JSON.parse(await run('unshare', ['--mount', 'sh', '-c', `${change}; exec "$@"`, 'sh', ...node]));
}

const hide = (path: string) => `mount --bind /dev/null ${path}`;

test('`presentationProblem` finds none where all is there, and else names what is missing with what to do', async () => {
	assert.equal(await problemAfter('true'), null);
	for (const [path, debianPackage] of [
		['/usr/sbin/mkntfs', 'ntfs-3g'],
		['/usr/sbin/ntfscp', 'ntfs-3g'],
		['/usr/bin/ntfsfallocate', 'ntfs-3g'],
		['/usr/sbin/tgtd', 'tgt'],
		['/usr/sbin/tgtadm', 'tgt'],
		['/usr/bin/umount', 'mount'],
		['/usr/bin/qemu-storage-daemon', 'qemu-system-common'],
	] as const)
		assert.deepEqual(await problemAfter(hide(path)), {
			code: 'tool_missing',
			message: `${path.split('/').at(-1)} is not installed`,
			hint: `apt-get install ${debianPackage}`,
		});
});

test('`presentationProblem` tells of a FUSE that cannot be opened, of a daemon made without it, and of a user', async t => {
	const said = await problemAfter('mount --bind /dev/fuse /dev/fuse; mount -o remount,bind,nodev /dev/fuse');
	assert.partialDeepStrictEqual(said, { code: 'precheck_failed', hint: 'modprobe fuse' });
	const without = join(await temporaryDirectory(t), 'without');
	await writeFile(without, '#!/bin/sh\necho "--export [type=]nbd"\n');
	await chmod(without, 0o755);
	assert.deepEqual(await problemAfter(`mount --bind ${without} /usr/bin/qemu-storage-daemon`), {
		code: 'precheck_failed',
		message: 'qemu-storage-daemon was made without FUSE',
		hint: 'use the one of Debian',
	});
	assert.partialDeepStrictEqual(await problemAfter('true', 'unshare', '--user'), {
		code: 'precheck_failed',
		hint: 'start it as root',
	});
});
