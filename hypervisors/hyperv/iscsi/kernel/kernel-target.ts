/** A target in the kernel: its NBD client, and LIO on the device. Reads that wait hold up no others, up to 63 a session. */
import { join } from 'node:path';
import * as z from 'zod';
import { asRouseError, RouseError } from '../../../../model/errors.ts';
import { removeFileDurably, replaceFileDurably } from '../../../../system/durable-file.ts';
import { exists, readIfThere } from '../../../../system/if-there.ts';
import { lockHolder } from '../../../../system/process-lock.ts';
import { programPath } from '../../../../system/program-path.ts';
import { runTool } from '../../../../system/run-tool.ts';
import { type IscsiTarget, type TargetOptions, targetPaths } from '../definition.ts';
import { deviceOf, endDevice, startDevice } from './device.ts';
import { isLioTarget, makeLioTarget, removeLioTarget } from './lio.ts';

const modules = ['nbd', 'target_core_iblock', 'iscsi_target_mod'];

/** By what its objects are found when there is only the directory. */
const recordSchema = z.object({ iqn: z.string(), serial: z.string() });
const recordOf = (directory: string) => join(directory, 'kernel-target.json');

/** Whether the kernel here has all that such a target takes; loads it. */
export async function kernelHasTargets(): Promise<boolean> {
	for (const name of modules) if (!(await exists(join('/sys/module', name))) && !(await load(name))) return false;
	return await exists('/sys/kernel/config/target');
}

async function load(module: string): Promise<boolean> {
	try {
		const options = { hint: 'apt-get install kmod', wholeMs: 20_000, env: { PATH: programPath() } };
		return (await runTool('modprobe', ['--quiet', module], options)).code === 0;
	} catch (error) {
		if (asRouseError(error).code !== 'tool_missing') throw error;
		return false; // a kernel without modules, most likely
	}
}

/** One that lost no more than who brings it new connections gets that again. False for all else. */
export async function mendKernelTarget(target: IscsiTarget, options: TargetOptions): Promise<boolean> {
	const device = await deviceOf(target.serial);
	if (device === undefined || !(await isLioTarget(target, device))) return false;
	await startDevice(targetPaths(target), target, options);
	return true;
}

export async function startKernelTarget(target: IscsiTarget, options: TargetOptions): Promise<void> {
	const { directory, iqn, serial } = target;
	await replaceFileDurably(recordOf(directory), `${JSON.stringify({ iqn, serial })}\n`);
	const device = await startDevice(targetPaths(target), target, options);
	await makeLioTarget(target, device);
}

export async function kernelTargetRuns(target: IscsiTarget): Promise<boolean> {
	if ((await lockHolder(targetPaths(target).storageLock)) === undefined) return false;
	const device = await deviceOf(target.serial);
	return device !== undefined && (await isLioTarget(target, device));
}

/** The device first: what waits on it ends with an error, so that nothing here waits. MAY find nothing. */
export async function endKernelTarget(directory: string): Promise<void> {
	const text = await readIfThere(recordOf(directory));
	if (text === undefined) return;
	const found = recordSchema.safeParse(JSON.parse(text));
	if (!found.success) throw new RouseError('internal', `${recordOf(directory)} is not as it was written`);
	await endDevice(targetPaths({ directory }), found.data.serial);
	await removeLioTarget(found.data);
	await removeFileDurably(recordOf(directory));
}
