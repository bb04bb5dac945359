import type { GuestAgent } from '../qemu/still.ts';
import { wakeIfStill } from '../qemu/still.ts';
import type { Owned } from '../qemu/names.ts';
import type { Scratch } from '../qemu/scratch.ts';
import { ourCheckpoints, removeCheckpoints } from './checkpoints.ts';
import type { Domain } from './domain.ts';
import { endJob } from './job.ts';
import { mustRun } from './look.ts';
import type { CheckpointMark } from './names.ts';
import type { Virsh } from './virsh.ts';

/** An import, and wherever anything of it may be. */
export interface Places {
	virsh: Virsh;
	uuid: string;
	domain: Pick<Domain, 'name' | 'isRunning'>;
	owned: Owned;
	scratches: readonly Scratch[];
	agent: GuestAgent | undefined;
	signal: AbortSignal;
}

/** Everything of one import, whatever state it is in. What tells whose it is goes last. */
export async function removeAll(places: Places): Promise<void> {
	await remove(places, () => true);
}

/** All but its checkpoint: of one begin alone, where there are several. */
export async function keepCheckpoint(places: Places): Promise<void> {
	const sets = (await Promise.all(places.scratches.map(scratch => scratch.taken()))).flatMap(taken => taken?.set ?? []);
	await remove(places, ({ set }) => sets.length > 0 && !sets.includes(set));
}

async function remove(places: Places, isDropped: (mark: CheckpointMark) => boolean): Promise<void> {
	const { virsh, uuid, domain, owned, scratches, signal } = places;
	const isGone = (mark: CheckpointMark) => mark.tag === owned.tag && mark.owner === owned.owner && isDropped(mark);
	// Of a domain that is off no job is left, and no checkpoint can be deleted.
	if (!domain.isRunning && (await ourCheckpoints(virsh, uuid, signal)).some(isGone)) mustRun(domain);
	if (domain.isRunning) await wakeAndEnd(places);
	await removeCheckpoints(virsh, uuid, isGone, signal);
	for (const scratch of scratches) await scratch.remove();
}

async function wakeAndEnd({ virsh, uuid, owned, scratches, agent, signal }: Places): Promise<void> {
	try {
		for (const scratch of scratches) await wakeIfStill(agent, scratch);
	} finally {
		// Also of a guest that does not wake: what the job keeps grows until a write of the guest fails.
		await endJob(virsh, uuid, owned, signal);
	}
}
