/** Images of disks that `inspection/` looks at. */
import assert from 'node:assert/strict';
import { Allowance, boundedDisk } from '../../inspection/bounded-disk.ts';
import type { FileSystem } from '../../inspection/file-node.ts';
import { inspectDisks } from '../../inspection/inspect.ts';
import { find } from '../../inspection/paths.ts';
import { bootFactsSchema } from '../../model/boot-facts.ts';
import { memoryDisk } from './guest-trees.ts';

const { signal } = new AbortController();

/** A disk of which a GiB may be read. */
export function boundedImage(image: Buffer) {
	return boundedDisk(memoryDisk(image), 'disk0', new Allowance(2 ** 30, signal));
}

export async function contentAt(fileSystem: FileSystem, path: string, fromBytes = 0): Promise<Buffer> {
	const file = await find(fileSystem, path);
	assert.ok(file, path);
	const pieces: Buffer[] = [];
	for await (const piece of file.content(fromBytes)) pieces.push(piece);
	return Buffer.concat(pieces);
}

/**
 * `inspectDisks` comes back with what can be said when any of these bytes is another: all bits of it, or one. Of the places every
 * `every`th is tried, in the first disk.
 */
export async function outlivesOtherBytes(
	disks: readonly [Buffer, ...Buffer[]],
	{ places, every }: { places: readonly number[]; every: number },
): Promise<void> {
	const [image] = disks;
	for (const [index, at] of places.entries()) {
		if (index % every !== 0) continue;
		const byte = image.readUInt8(at);
		image.writeUInt8(byte ^ (index % 2 === 0 ? 0xff : 1 << (index % 8)), at);
		const looked = disks.map(memoryDisk);
		const { boot } = await inspectDisks(
			looked.map(disk => ({ disk, partitions: undefined })),
			signal,
		);
		image.writeUInt8(byte, at);
		bootFactsSchema.parse(boot);
		const readBytes = looked.reduce((sum, disk) => sum + disk.readBytes(), 0);
		assert.ok(readBytes < 64 * 2 ** 20, `byte ${at}: ${readBytes} bytes were read`);
		assert.ok(
			boot.notLookedAt.every(line => !/range|bound|undefined/i.test(line)),
			boot.notLookedAt.join(),
		);
	}
}
