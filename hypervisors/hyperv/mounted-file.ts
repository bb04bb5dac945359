import { readFile } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { runTool } from '../../system/run-tool.ts';

/** Whether something is mounted at this path: a file that qemu-storage-daemon serves by FUSE. */
export async function isMounted(path: string): Promise<boolean> {
	return (await mountNumber(path)) !== undefined;
}

/** By which the kernel knows what is mounted there, among those without a device: `39`. */
export async function mountNumber(path: string): Promise<string | undefined> {
	const mounts = await readFile('/proc/self/mountinfo', 'utf8');
	// Field 3 is the device, field 5 is where, with blanks as octal: proc(5).
	const escaped = path.replaceAll(/[\s\\]/g, one => `\\${one.charCodeAt(0).toString(8).padStart(3, '0')}`);
	const fields = mounts.split('\n').map(line => line.split(' '));
	return fields.find(field => field[4] === escaped)?.[2]?.split(':')[1];
}

/** Lazily: somebody may hold it still. */
export async function unmount(path: string): Promise<void> {
	const { code, tail } = await runTool('umount', ['--lazy', path], { hint: 'apt-get install mount', wholeMs: 20_000 });
	if (code !== 0) throw new RouseError('tool_failed', `umount ${path} ended with ${code}: ${tail.join(' ')}`);
}
