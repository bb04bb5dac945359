/** Random disks of random measures, and children that say something else of some of their blocks. */
import type { ChildBlock } from '../../vhdx/differencing-file.ts';
import type { Random } from './seeds/random.ts';
import { mebibyte } from './vhdx-files.ts';

export interface Measures {
	sizeBytes: number;
	blockBytes: number;
	logicalSectorBytes: 512 | 4096;
	physicalSectorBytes: 512 | 4096;
}

export function measuresOf(random: Random): Measures {
	const logicalSectorBytes = random.pick([512, 512, 4096] as const);
	return {
		sizeBytes: (1 + random.below((5 * mebibyte) / logicalSectorBytes)) * logicalSectorBytes,
		blockBytes: random.pick([1, 1, 2]) * mebibyte,
		logicalSectorBytes,
		physicalSectorBytes: random.pick([logicalSectorBytes, 4096]),
	};
}

export function hasContent(content: Uint8Array, { blockBytes }: Measures): (block: number) => boolean {
	return block => content.subarray(block * blockBytes, (block + 1) * blockBytes).some(byte => byte !== 0);
}

/** A child of random blocks, and what one reads through it. `sectorsAtOnce`: how many go the same way at least. */
export function childOf(
	random: Random,
	measures: Measures,
	own: Buffer,
	below: Buffer,
	{ sectorsAtOnce = 1 } = {},
): { blocks: ChildBlock[]; merged: Buffer } {
	const { sizeBytes, blockBytes, logicalSectorBytes } = measures;
	const merged = Buffer.from(below);
	const blocks: ChildBlock[] = [];
	for (let block = 0; block * blockBytes < sizeBytes; block++) {
		const [at, end] = [block * blockBytes, Math.min(sizeBytes, (block + 1) * blockBytes)];
		const kind = random.pick(['none', 'whole', 'zeros', 'sectors', 'sectors'] as const);
		if (kind === 'none') continue;
		if (kind === 'whole') own.copy(merged, at, at, end);
		if (kind === 'zeros') merged.fill(0, at, end);
		if (kind !== 'sectors') {
			blocks.push({ block, content: kind });
			continue;
		}
		const sectors = new Uint8Array(blockBytes / logicalSectorBytes / 8);
		for (let bit = 0; bit < sectors.length * 8; ) {
			const isOwn = random.chance(0.5);
			for (
				const runEnd = bit + (1 + random.below(20)) * sectorsAtOnce;
				bit < Math.min(runEnd, sectors.length * 8);
				bit++
			) {
				if (!isOwn) continue;
				sectors[bit >> 3] = (sectors[bit >> 3] ?? 0) | (1 << (bit & 7));
				const from = at + bit * logicalSectorBytes;
				if (from < sizeBytes) own.copy(merged, from, from, Math.min(sizeBytes, from + logicalSectorBytes));
			}
		}
		blocks.push({ block, content: { sectors } });
	}
	return { blocks, merged };
}
