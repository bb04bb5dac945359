/** Which volume gets its snapshot first. What is written to most is the last one, so that the others have nothing to keep until then. */
import type { SnapshotKept, VolumeName } from './platform.ts';
import type { RoomFor } from './room.ts';

/**
 * In a try that has failed, by volume: how much its snapshot kept until the last one was made. That says more than what was written since the
 * machine was started, which may have been its installation.
 */
export type KeptInTries = Map<string, number>;

export function inOrder(rooms: readonly RoomFor[], inTries: KeptInTries): RoomFor[] {
	const kept = ({ volume }: RoomFor) => inTries.get(title(volume)) ?? 0;
	return rooms.toSorted((one, other) => kept(one) - kept(other) || one.volume.writtenBytes - other.volume.writtenBytes);
}

/** What the last one kept is not known: it had no time for it. */
export function noteKept(inTries: KeptInTries, rooms: readonly RoomFor[], kept: readonly SnapshotKept[]): void {
	for (const [index, { volume }] of rooms.entries())
		inTries.set(title(volume), Math.max(inTries.get(title(volume)) ?? 0, kept[index]?.chunks ?? 0));
}

function title({ group, name }: VolumeName): string {
	return `${group}/${name}`;
}
