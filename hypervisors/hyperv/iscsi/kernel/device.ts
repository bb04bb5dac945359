import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asRouseError, RouseError } from '../../../../model/errors.ts';
import { readIfThere } from '../../../../system/if-there.ts';
import { namesIn } from '../../../../system/names-in.ts';
import { lockHolder } from '../../../../system/process-lock.ts';
import { runTool } from '../../../../system/run-tool.ts';
import { endHolder, spawnLocked } from '../../../../system/spawn-locked.ts';
import { waitFor } from '../../../../system/wait.ts';
import { endOfLog, type IscsiTarget, type TargetOptions, type TargetPaths } from '../definition.ts';

const program = fileURLToPath(new URL('nbd-device.pl', import.meta.url));

/** The kernel keeps it with the device: `backend` of Documentation/ABI/testing/sysfs-block-device (nbd). */
const identityOf = (serial: string) => `rouse-${serial}`;

/** The path of the kernel's device for this target; undefined when it has none. */
export async function deviceOf(serial: string): Promise<string | undefined> {
	for (const name of await namesIn('/sys/block')) {
		if (!name.startsWith('nbd')) continue;
		const found = await readIfThere(join('/sys/block', name, 'backend'));
		if (found?.trim() === identityOf(serial)) return join('/dev', name);
	}
	return undefined;
}

/**
 * The mount mover's export as a device of the kernel, and a process that brings it a new connection when the mover was
 * started again. Gives the device's path. Throws `mover_unreachable` when the export cannot be opened.
 */
export async function startDevice(paths: TargetPaths, target: IscsiTarget, { signal }: TargetOptions): Promise<string> {
	await rm(paths.storageLog, { force: true });
	const { serial, nbdSocket, exportName } = target;
	try {
		await spawnLocked({
			lockPath: paths.storageLock,
			logPath: paths.storageLog,
			command: 'perl',
			// The kernel has 128 requests under way at a time and takes answers in any order: nothing need be asked twice.
			args: [program, 'keep', identityOf(serial), nbdSocket, `${exportName}-wait`],
			env: { PATH: process.env['PATH'], LC_ALL: 'C' },
			cwd: '/',
		});
		const said = async () => {
			if (/^device \d+$/m.test((await readIfThere(paths.storageLog)) ?? '')) return true;
			return (await lockHolder(paths.storageLock)) === undefined;
		};
		await waitFor('a device of the kernel', said, { timeoutMs: 20_000, signal });
	} catch (error) {
		signal?.throwIfAborted();
		if (asRouseError(error).code !== 'machine_failed') throw error; // it ended at once, and said why
	}
	const device = await deviceOf(serial);
	if (device !== undefined && (await lockHolder(paths.storageLock)) !== undefined) return device;
	const said = await endOfLog(paths.storageLog);
	const code = said.includes(nbdSocket) ? 'mover_unreachable' : 'machine_failed';
	throw new RouseError(code, `${exportName} of ${nbdSocket} does not become a device: ${said}`);
}

/** What waits for the mount mover ends with an error; so nothing that stands on it waits after that. MAY find nothing. */
export async function endDevice(paths: TargetPaths, serial: string): Promise<void> {
	if (!(await endHolder(paths.storageLock)))
		throw new RouseError('hypervisor_stuck', `${program} does not end: ${paths.storageLock}`, {
			hint: 'it is stuck in the kernel; boot this host again',
		});
	const { code, tail } = await runTool('perl', [program, 'disconnect', identityOf(serial)], {
		hint: 'apt-get install perl',
		wholeMs: 20_000,
	});
	if (code !== 0) throw new RouseError('machine_failed', `the kernel keeps its device of ${serial}: ${tail.join(' ')}`);
}
