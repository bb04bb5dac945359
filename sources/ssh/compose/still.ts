/** What of a disk is read as it lies there: it counts as of the moment when it is at the end what it was at the beginning. */
import { createHash } from 'node:crypto';
import { formatBytes } from '../../../model/format-bytes.ts';
import { RouseError } from '../../../model/errors.ts';
import type { Ranges } from '../ranges.ts';
import type { ComposedDisk } from './machine.ts';

/** It is read twice more for that: boot partitions have a few of these. */
const mostBytes = 8 * 2 ** 30;
const unitBytes = 4 * 2 ** 20;

function liveBytes({ parts }: ComposedDisk): number {
	return parts.reduce((sum, { from, lengthBytes }) => sum + (from.kind === 'device' && from.live ? lengthBytes : 0), 0);
}

/** Throws `source_invalid` where that would be too much. */
export function mustBeLittle(disks: readonly ComposedDisk[]): void {
	const bytes = disks.reduce((sum, disk) => sum + liveBytes(disk), 0);
	if (bytes <= mostBytes) return;
	throw new RouseError(
		'source_invalid',
		`${formatBytes(bytes)} of its disks lie in partitions that are not on LVM, more than ${formatBytes(mostBytes)}`,
		{
			hint: '`snapshot: none` at its source in config.yaml reads the disks while they are written to, which is of no one moment',
		},
	);
}

/** Of all such parts of a disk together. */
export async function stillDigest({ parts }: ComposedDisk, ranges: Ranges, signal: AbortSignal): Promise<string> {
	const digest = createHash('sha256');
	for (const { offsetBytes, lengthBytes, from } of parts) {
		if (from.kind !== 'device' || !from.live) continue;
		digest.update(`${offsetBytes} ${lengthBytes}\n`);
		for (let done = 0; done < lengthBytes; done += unitBytes) {
			const length = Math.min(unitBytes, lengthBytes - done);
			const range = { atBytes: from.atBytes + done, lengthBytes: length, firstBytes: length, unitBytes };
			for (const part of await ranges.digests(from.path, range, signal)) digest.update(part);
		}
	}
	return digest.digest('hex');
}
