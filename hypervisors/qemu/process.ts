import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { endHolder } from '../../system/spawn-locked.ts';
import type { MachineDefinition } from '../contract.ts';
import type { MachinePaths } from './paths.ts';

/** What holds the machine's lock: `machine` is QEMU (or about to become it), `commit` the offline commit of the switch. */
export type Running = 'nothing' | 'machine' | 'commit';

/**
 * Looks who holds the lock, without asking QEMU, which may be stuck. `identity_conflict` when it is a machine of another
 * recovery.
 */
export async function whatRuns(definition: MachineDefinition, paths: MachinePaths): Promise<Running> {
	const deadline = performance.now() + endingMs;
	for (;;) {
		const holder = await lockHolder(paths.lock);
		if (holder === undefined) return 'nothing';
		const args = await commandLineOf(holder.pid);
		if (args.some(arg => basename(arg) === commitTool)) return 'commit';
		const at = args.indexOf('-uuid');
		if (at >= 0 && args[at + 1] === definition.recoveryId) return 'machine';
		// None: it is ending, or ended between the two looks.
		if (args.length > 0) throw foreignHolder(definition, paths, holder.pid, args);
		if (performance.now() > deadline) throw stuckInKernel(definition);
		await delay(5);
	}
}

/** A process that is ending gives its memory back first, and its locks last. */
const endingMs = 5_000;

function foreignHolder(definition: MachineDefinition, paths: MachinePaths, pid: number, args: string[]): RouseError {
	const what = args.slice(0, 6).join(' ');
	return new RouseError(
		'identity_conflict',
		`${paths.lock} is held by process ${pid}, which is not the machine of recovery ${definition.recoveryId}: ${what}`,
	);
}

function stuckInKernel(definition: MachineDefinition): RouseError {
	return new RouseError('hypervisor_stuck', `the machine of ${definition.directory} does not end`, {
		hint: 'it is stuck in the kernel, on storage that does not answer; once that answers, try again',
	});
}

/** Known by its name among the arguments, whether it is `flock` still or the tool already. */
const commitTool = 'qemu-img';

async function commandLineOf(pid: number): Promise<string[]> {
	try {
		const text = await readFile(`/proc/${pid}/cmdline`, 'utf8');
		return text.split('\0').filter(arg => arg !== '');
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return [];
		throw error;
	}
}

/** Ends by force whatever holds the lock; it is this machine's, or `identity_conflict` is thrown. */
export async function endByForce(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	if ((await whatRuns(definition, paths)) === 'nothing') return;
	if (!(await endHolder(paths.lock))) throw stuckInKernel(definition);
}
