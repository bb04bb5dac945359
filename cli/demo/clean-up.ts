import { rm } from 'node:fs/promises';
import { takeDown } from '../../keeper/down.ts';
import { type Installation, places } from '../../system/installation.ts';
import { heldRecoveryLocks, locksIn } from '../../system/recovery-locks.ts';
import { endHolder } from '../../system/spawn-locked.ts';

/**
 * Ends all that the demonstration has started, its services, machine and movers, however it ended: nobody else knows of them.
 * Its files stay for whoever looks for the cause of a failure.
 */
export async function cleanUp({ home, runDirectory }: Installation): Promise<void> {
	await takeDown(home, () => {});
	for (const { path } of await heldRecoveryLocks(places.recoveries(home))) await endHolder(path);
	for (const path of await locksIn(places.repositoryMovers(home))) await endHolder(path);
	await rm(runDirectory, { recursive: true, force: true });
}
