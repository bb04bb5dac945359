const disksAtMost = 64;

/**
 * Tells chunks of all disks of a recovery apart, by the disk's number, under 64, and the place in it. 2 TiB in chunks of
 * 128 KiB still give keys of 30 bits, the quick ones.
 */
export function chunkKey(disk: number, index: number): number {
	return index * disksAtMost + disk;
}

export function placeOfKey(key: number): { disk: number; index: number } {
	return { disk: key % disksAtMost, index: Math.floor(key / disksAtMost) };
}
