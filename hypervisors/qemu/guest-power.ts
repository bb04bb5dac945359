import { RouseError } from '../../model/errors.ts';
import type { Power } from '../../model/recovery.ts';
import { waitFor } from '../../system/wait.ts';
import type { MachineDefinition } from '../contract.ts';
import { isHalfway, queryJobs } from './jobs.ts';
import { queryDisks, queryStatus } from './monitor-queries.ts';
import type { Qmp } from './qmp-client.ts';

/** RunState of qapi/run-state.json in the words of the contract. */
export function powerOf(status: string): Power {
	switch (status) {
		case 'running':
		case 'suspended': // the guest sleeps (ACPI S3) and wakes by itself
			return 'on';
		case 'prelaunch': // has not begun
		case 'shutdown': // has powered itself off; QEMU stays, for the disks
			return 'off';
		default:
			return 'paused';
	}
}

/** Why a guest can run no further, for the states that only a reset leads out of; undefined for all others. */
export function crashOf(status: string): string | undefined {
	switch (status) {
		case 'internal-error': // KVM_EXIT_INTERNAL_ERROR and its like: accel/kvm/kvm-all.c
			return 'its processor met what the accelerator cannot run (internal-error)';
		case 'guest-panicked':
			return 'its operating system gave up (guest-panicked)';
		default:
			return undefined;
	}
}

/**
 * Lets the guest run. One that stands still because of an I/O error is left as it is: `resume` is for that. Throws
 * `phase_wrong` in the moment of the switch in which a write would be lost.
 */
export async function startGuest(qmp: Qmp, definition: MachineDefinition): Promise<void> {
	const { running, status } = await queryStatus(qmp);
	if (running || status === 'io-error') return;
	await refuseHalfway(qmp);
	if (status === 'shutdown' || crashOf(status) !== undefined) {
		await qmp.execute('system_reset');
		// A reset takes place in QEMU's main loop, after the answer.
		await waitFor('QEMU to reset the machine', async () => (await queryStatus(qmp)).status === 'prelaunch', {
			timeoutMs: 10_000,
			everyMs: 5,
		});
	}
	await takeLinksDown(qmp, definition);
	await qmp.execute('cont');
}

/** Between `job-complete` and `job-finalize` the guest's writes would go to an overlay that is not copied any more. */
export async function refuseHalfway(qmp: Qmp): Promise<void> {
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
