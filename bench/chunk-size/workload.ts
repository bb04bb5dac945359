/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/**
 * 4 KiB blocks that differ in the next backup: one part in a hundred of the disk in stretches of 1 MiB (files that were
 * replaced) and one block in a thousand anywhere (files that were touched).
 */
export function changedBlocks(sizeBytes: number): ReadonlySet<number> {
	const random = randomNumbers(3);
	const blocks = Math.floor(sizeBytes / 4096);
	const changed = new Set<number>();
	for (let stretch = 0; stretch < sizeBytes / 100 / 2 ** 20; stretch++) {
		const first = Math.floor(random() * blocks);
		for (let block = first; block < Math.min(blocks, first + 256); block++) changed.add(block);
	}
	for (let touched = 0; touched < blocks / 1000; touched++) changed.add(Math.floor(random() * blocks));
	return changed;
}
