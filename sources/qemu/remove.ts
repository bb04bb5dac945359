import { removeBitmaps } from './bitmaps.ts';
import { endMoment } from './moment.ts';
import type { Monitor } from './monitor.ts';
import { carries, type Owned } from './names.ts';
import type { Scratch } from './scratch.ts';
import { type GuestAgent, wakeIfStill } from './still.ts';

export interface Places {
	/** Wherever a scratch of this import may be. */
	scratches: readonly Scratch[];
	agent: GuestAgent | undefined;
}

/** Everything of one import, whatever state it is in. What tells whose it is goes last. */
export async function removeAll(monitor: Monitor, owned: Owned, { scratches, agent }: Places): Promise<void> {
	await wakeAndEnd(monitor, owned, { scratches, agent });
	await removeBitmaps(monitor, mark => carries(mark, owned));
	for (const scratch of scratches) await scratch.remove();
}

/** All but the bitmaps that record what is written from its moment on: of one begin alone, where there are several. */
export async function keepCheckpoint(monitor: Monitor, owned: Owned, { scratches, agent }: Places): Promise<void> {
	const sets = (await Promise.all(scratches.map(scratch => scratch.taken()))).flatMap(taken => taken?.set ?? []);
	await wakeAndEnd(monitor, owned, { scratches, agent });
	await removeBitmaps(
		monitor,
		mark => carries(mark, owned) && (mark.role === 'copy' || (sets.length > 0 && !sets.includes(mark.set))),
	);
	for (const scratch of scratches) await scratch.remove();
}

/** A guest that does not wake is told of, and still its moment ends: what that keeps grows until a write of the guest fails. */
async function wakeAndEnd(monitor: Monitor, owned: Owned, { scratches, agent }: Places): Promise<void> {
	try {
		for (const scratch of scratches) await wakeIfStill(agent, scratch);
	} finally {
		await endMoment(monitor, owned, scratches);
	}
}
