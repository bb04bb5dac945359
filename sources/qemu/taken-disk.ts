import { RouseError } from '../../model/errors.ts';
import type { StoredDisk } from '../../repository/stored-disk.ts';
import type { OpenedMoment } from '../machine/contract.ts';
import { momentLost, QemuDisk } from './disk.ts';
import { diskName, type Owned } from './names.ts';
import { leastFreeBytes } from './room.ts';
import type { Scratch, Taken } from './scratch.ts';

/** A moment that was found in its scratch, and whose job runs. */
export interface StandingMoment {
	scratch: Scratch;
	taken: Taken;
}

/** How a moment is looked for, and ended, by the way to its QEMU. */
interface MomentPlace {
	owned: Owned;
	/** Under which the copy of the bitmap of this disk is told. */
	bitmapOf: (key: string, number: number) => string;
	/** Throws `moment_lost` when it is gone. */
	find: (signal: AbortSignal) => Promise<unknown>;
	end: (signal: AbortSignal) => Promise<void>;
}

/** One disk of it, of which the changes alone are told where there is a base and its bitmap was there at the moment. */
export async function openTaken(
	{ scratch, taken: { disks } }: StandingMoment,
	{ key, base }: { key: string; base: StoredDisk | undefined },
	{ owned, bitmapOf, find, end }: MomentPlace,
	signal: AbortSignal,
): Promise<OpenedMoment> {
	const number = disks.findIndex(disk => disk.key === key);
	const disk = disks[number];
	if (disk === undefined) throw momentLost();
	const leastBytes = leastFreeBytes(disks.map(({ sizeBytes }) => sizeBytes));
	const readsChanges = base !== undefined && disk.changes;
	const source = await QemuDisk.open(
		{
			socket: scratch.socket,
			exportName: diskName(owned, number),
			bitmap: readsChanges ? bitmapOf(key, number) : undefined,
			room: { isShort: async () => (await scratch.freeBytes()) < leastBytes },
			isStanding: until => isFound(find(until)),
			end,
		},
		signal,
	);
	if (readsChanges) return { source, reads: 'changes', why: null };
	return { source, reads: 'all', why: base === undefined ? null : 'its bitmap was gone when the moment was begun' };
}

async function isFound(found: Promise<unknown>): Promise<boolean> {
	try {
		await found;
		return true;
	} catch (error) {
		if (error instanceof RouseError && error.code === 'moment_lost') return false;
		throw error;
	}
}
