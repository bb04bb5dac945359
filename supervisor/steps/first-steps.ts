/** The steps that make the machine, up to where it could be started. */
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { waitFor } from '../../system/wait.ts';
import { untilServiceGrants } from './until-granted.ts';
import { writeMachineFile } from '../files/machine-file.ts';
import type { HostParts } from '../recovery/host-parts.ts';
import { placesOf } from '../recovery/progress.ts';
import type { Recovery } from '../recovery/recovery.ts';
import { change, type LastingStep, missingBefore } from '../files/state.ts';
import type { Nothing, StepContext } from '../recovery/step-context.ts';

/** How long the mount mover may take to read the repository's maps and listen. */
const moverStartMs = 60_000;

export async function reserve(
	{ recovery }: StepContext,
	{ request }: { request?: RecoveryRequest | undefined },
): Promise<Nothing> {
	// That there is a state is what counts against the limit: the registry made it, or refused with host_busy.
	await recovery.change(change.done('reserve'), ...(request ? [change.request(request)] : []));
	return {};
}

export async function createMachine({ recovery, host, signal }: StepContext): Promise<Nothing> {
	if (isDone(recovery, 'create-machine')) return {};
	const { machine } = recovery.equipment;
	const paths = placesOf(await machine.openTargets({ signal }));
	await writeMachineFile(recovery.places.machine, recovery.state, 'recovering', paths);
	await host.reached('machine-file');
	await machine.create({ signal });
	await host.reached('machine-created');
	await recovery.change(change.done('create-machine'));
	return {};
}

/** Returns when the mount mover answers and its disks can be connected to. */
export async function startMovers({ recovery, host, signal }: StepContext): Promise<Nothing> {
	if (isDone(recovery, 'start-movers')) return {};
	const { repository, mount } = recovery.equipment;
	await untilServiceGrants({ recovery, host, signal });
	if (repository) {
		await repository.start();
		await host.reached('repository-mover-started');
	}
	await mount.start();
	await host.reached('mount-mover-started');
	await untilServing(recovery, host, signal);
	await recovery.change(change.done('start-movers'));
	return {};
}

async function untilServing(recovery: Recovery, { clock }: HostParts, signal: AbortSignal): Promise<void> {
	const { mount } = recovery.equipment;
	const serves = async () => {
		if ((await mount.holder()) === undefined)
			throw new RouseError('mover_unreachable', `the mount mover of ${recovery.name} ended while it started`, {
				hint: `its log: ${recovery.places.mountMover.log}`,
			});
		return (await answers(mount)) && (await mount.listens());
	};
	try {
		await waitFor(`the mount mover of ${recovery.name} to serve its disks`, serves, {
			timeoutMs: moverStartMs,
			everyMs: 10,
			signal,
			clock,
		});
	} catch (error) {
		// Nobody watches it before this step is done: one that hangs would be found alive by every later attempt.
		if (asRouseError(error).code === 'timeout') await mount.end();
		throw error;
	}
}

/** The protective snapshot: from here on guest writes have a place of their own. */
export async function snapshot(context: StepContext): Promise<Nothing> {
	const { recovery, host, signal } = context;
	if (isDone(recovery, 'snapshot')) return {};
	const { machine } = recovery.equipment;
	await machine.presentBase({ signal });
	await machine.snapshot({ signal });
	await host.reached('snapshot-taken');
	await recovery.change(change.done('snapshot'));
	return {};
}

/** True when there is nothing to do; `phase_wrong` when a step it stands on is missing. */
export function isDone(recovery: Recovery, step: LastingStep): boolean {
	if (recovery.state.done.includes(step)) return true;
	const missing = missingBefore(recovery.state, step);
	if (missing.length === 0) return false;
	throw new RouseError('phase_wrong', `recovery ${recovery.name}: ${step} comes after ${missing.join(', ')}`);
}

async function answers(mount: {
	control: { state(options: { timeoutMs: number }): Promise<unknown> };
}): Promise<boolean> {
	try {
		await mount.control.state({ timeoutMs: 1_000 });
		return true;
	} catch {
		return false; // not yet; the deadline above decides
	}
}
