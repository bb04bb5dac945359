import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { isMounted } from '../../hypervisors/hyperv/mounted-file.ts';
import { waitFor } from '../../system/wait.ts';
import { captive } from './captive.ts';

const run = promisify(execFile);
const entry = '::loader/entries/rouse.conf';

/** Adds to the kernel's command line in the boot entry of a disk. */
export async function addKernelOptions(
	t: Pick<TestContext, 'after'>,
	qcow2Path: string,
	options: readonly string[],
): Promise<void> {
	const directory = dirname(qcow2Path);
	const [disk, text] = [join(directory, 'boot-entry.raw'), join(directory, 'boot-entry.conf')];
	await writeFile(disk, '');
	const daemon = captive(t, 'qemu-storage-daemon', [
		'--blockdev',
		`driver=file,node-name=file,filename=${qcow2Path}`,
		'--blockdev',
		'driver=qcow2,node-name=disk,file=file',
		'--export',
		`type=fuse,id=disk,node-name=disk,mountpoint=${disk},writable=on`,
	]);
	try {
		await waitFor('the disk to be a file', () => isMounted(disk), { timeoutMs: 20_000 });
		const part = ['-i', `${disk}@@1M`];
		await run('mcopy', [...part, entry, text]);
		const changed = (await readFile(text, 'utf8')).replace(/^options .*$/m, `$& ${options.join(' ')}`);
		await writeFile(text, changed);
		await run('mcopy', ['-o', ...part, text, entry]);
	} finally {
		await daemon.end();
		await rm(disk, { force: true });
	}
}
