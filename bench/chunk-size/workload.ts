import { randomNumbers } from '../peers/random-numbers.ts';

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
