import type { GuestAgent } from '../qemu/still.ts';
import { wakeIfStill } from '../qemu/still.ts';
import type { Owned } from '../qemu/names.ts';
import type { Scratch } from '../qemu/scratch.ts';
import { removeCheckpoints } from './checkpoints.ts';
import { endJob } from './job.ts';
import type { CheckpointMark } from './names.ts';
import type { Virsh } from './virsh.ts';

/** An import, and wherever anything of it may be. */
export interface Places {
	virsh: Virsh;
	uuid: string;
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
	const { virsh, uuid, owned, scratches, agent, signal } = places;
	const isOurs = ({ tag, owner }: Owned) => tag === owned.tag && owner === owned.owner;
	try {
		for (const scratch of scratches) await wakeIfStill(agent, scratch);
	} finally {
		// Also of a guest that does not wake: what the job keeps grows until a write of the guest fails.
		await endJob(virsh, uuid, owned, signal);
	}
	await removeCheckpoints(virsh, uuid, mark => isOurs(mark) && isDropped(mark), signal);
	for (const scratch of scratches) await scratch.remove();
}
