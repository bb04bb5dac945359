import { asRouseError, RouseError } from '../../model/errors.ts';
import type { MachineDefinition } from '../contract.ts';
import { isHalfway, queryJobs } from './jobs.ts';
import { queryDisks, queryStatus } from './monitor-queries.ts';
import type { Qmp } from '../../qmp/client.ts';
import { crashOf, powerOf } from './run-state.ts';

/**
 * Lets the guest run. One that stands still because of an I/O error is left as it is: `resume` is for that. Throws
 * `phase_wrong` in the moment of the switch in which a write would be lost.
 */
export async function startGuest(qmp: Qmp, definition: MachineDefinition): Promise<void> {
	const { running, status } = await queryStatus(qmp);
	if (running || status === 'io-error') return;
	await refuseHalfway(qmp);
	if (status === 'shutdown' || crashOf(status) !== undefined) await systemReset(qmp);
	await takeLinksDown(qmp, definition);
	await qmp.execute('cont');
}

/** A reset that takes longer than this waits for something. */
const resetMs = 10_000;

/** It takes place in QEMU's main loop, after the answer, and once its devices have let go of their requests. */
async function systemReset(qmp: Qmp): Promise<void> {
	const taken = qmp.waitForEvent(({ event }) => event === 'RESET', resetMs);
	try {
		await Promise.all([taken, qmp.execute('system_reset')]);
	} catch (cause) {
		if (asRouseError(cause).code !== 'timeout') throw cause;
		throw new RouseError('hypervisor_stuck', `QEMU did not reset the machine within ${resetMs} ms`, { cause });
	}
}

/** False, and nothing done, when it is off. */
export async function resetGuest(qmp: Qmp): Promise<boolean> {
	if (powerOf((await queryStatus(qmp)).status) === 'off') return false;
	await refuseHalfway(qmp);
	await systemReset(qmp);
	return true;
}

/**
 * A guest that stood still when it was reset does not run by itself; nor does one whose reads were failed for the reset:
 * the error stops it afterwards. The reset has dropped those requests.
 */
export async function goOnAfterReset(qmp: Qmp): Promise<void> {
	if ((await queryStatus(qmp)).running) return;
	await refuseHalfway(qmp);
	await qmp.execute('cont');
}

/** Between `job-complete` and `job-finalize` the guest's writes would go to an overlay that is not copied any more. */
async function refuseHalfway(qmp: Qmp): Promise<void> {
	const halfway = [...(await queryJobs(qmp)).values()].filter(isHalfway);
	if (halfway.length > 0)
		throw new RouseError('phase_wrong', 'the switch is in its pause: it must be carried on before the guest may run');
}

/**
 * A NIC without a target has nothing behind it, but would tell the guest that its cable is in. Before the guest runs,
 * since there is no option for it on the command line.
 */
async function takeLinksDown(qmp: Qmp, definition: MachineDefinition): Promise<void> {
	for (const [index, nic] of definition.nics.entries())
		if (nic.target === 'none') await qmp.execute('set_link', { name: `net${index}`, up: false });
}

/**
 * From here on a guest that powers itself off ends QEMU, as it does at every later start; true when it has done so
 * already. Not earlier: of a QEMU that is gone nobody can tell whether it died or its guest was done.
 */
export async function endWithGuest(qmp: Qmp): Promise<boolean> {
	await qmp.execute('set-action', { shutdown: 'poweroff' });
	return (await queryStatus(qmp)).status === 'shutdown';
}

/** Lets a guest go on whose request failed; QEMU tries the request again. */
export async function resumeGuest(qmp: Qmp): Promise<void> {
	const { running, status } = await queryStatus(qmp);
	if (running) return;
	// `paused` with a failed disk: the request failed while the switch had the guest paused.
	const failed = [...(await queryDisks(qmp)).values()].some(disk => disk.ioStatus !== 'ok');
	if (status !== 'io-error' && !(status === 'paused' && failed)) return;
	await refuseHalfway(qmp);
	await qmp.execute('cont');
}
