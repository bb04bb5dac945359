import { readFile } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { runTool } from '../../system/run-tool.ts';

/** Whether something is mounted at this path: a file that qemu-storage-daemon serves by FUSE. */
export async function isMounted(path: string): Promise<boolean> {
	const mounts = await readFile('/proc/self/mountinfo', 'utf8');
	// Field 5 is where, with blanks as octal: proc(5).
	const escaped = path.replaceAll(/[\s\\]/g, one => `\\${one.charCodeAt(0).toString(8).padStart(3, '0')}`);
	return mounts.split('\n').some(line => line.split(' ')[4] === escaped);
}

/** Lazily: somebody may hold it still. */
export async function unmount(path: string): Promise<void> {
	const { code, tail } = await runTool('umount', ['--lazy', path], { hint: 'apt-get install mount', wholeMs: 20_000 });
	if (code !== 0) throw new RouseError('tool_failed', `umount ${path} ended with ${code}: ${tail.join(' ')}`);
}
