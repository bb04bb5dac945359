/** A disk from its partitions. */
import { composePhysical, type PhysicalPlan } from './physical-volume.ts';
import { fillGaps, movedBy, type Part, zeros } from './parts.ts';

/** What a partition, or a disk without a table, is read as. */
export type Content =
	/** As it lies there: boot partitions, and what nobody writes to. */
	| { kind: 'live' }
	/** Of swap space, what `swapon` knows it by. What was swapped out is of no use to the machine that starts from it. */
	| { kind: 'swap'; headerBytes: number }
	| { kind: 'physical'; plan: PhysicalPlan };

export interface PartitionPlan {
	startBytes: number;
	lengthBytes: number;
	content: Content;
}

export interface DiskPlan {
	/** Of its device. */
	path: string;
	sizeBytes: number;
	partitions: readonly PartitionPlan[];
}

/**
 * Tables, boot code and what RAID leaves behind lie near partitions or at the ends of the disk. The middle of larger gaps is what
 * was never given to anything.
 */
const gapEndBytes = 2 * 2 ** 20;
const wholeGapBytes = 64 * 2 ** 20;

export function composeDisk({ path, sizeBytes, partitions }: DiskPlan): Part[] {
	const parts = partitions.flatMap(({ startBytes, lengthBytes, content }) =>
		movedBy(contentParts(content, lengthBytes, { path, atBytes: startBytes }), startBytes),
	);
	return joined(fillGaps(sizeBytes, parts, (offsetBytes, lengthBytes) => gapParts(path, offsetBytes, lengthBytes)));
}

function contentParts(content: Content, lengthBytes: number, at: { path: string; atBytes: number }): Part[] {
	if (content.kind === 'physical') return composePhysical(content.plan, at);
	const readBytes = content.kind === 'swap' ? Math.min(content.headerBytes, lengthBytes) : lengthBytes;
	return [live(at, 0, readBytes), zero(readBytes, lengthBytes - readBytes)];
}

/** How much of a gap is taken for nothing. */
function nothingIn(gapBytes: number): number {
	return gapBytes <= wholeGapBytes ? 0 : gapBytes - 2 * gapEndBytes;
}

function gapParts(path: string, offsetBytes: number, lengthBytes: number): Part[] {
	const at = { path, atBytes: 0 };
	const nothing = nothingIn(lengthBytes);
	if (nothing === 0) return [live(at, offsetBytes, lengthBytes)];
	return [
		live(at, offsetBytes, gapEndBytes),
		zero(offsetBytes + gapEndBytes, nothing),
		live(at, offsetBytes + gapEndBytes + nothing, gapEndBytes),
	];
}

function live({ path, atBytes }: { path: string; atBytes: number }, offsetBytes: number, lengthBytes: number): Part {
	return { offsetBytes, lengthBytes, from: { kind: 'device', path, atBytes: atBytes + offsetBytes, live: true } };
}

function zero(offsetBytes: number, lengthBytes: number): Part {
	return { offsetBytes, lengthBytes, from: zeros };
}

/** Parts that go on where the one before ends are one: a snapshot in one piece is read in one. */
function joined(parts: readonly Part[]): Part[] {
	const whole: Part[] = [];
	for (const next of parts) {
		if (next.lengthBytes === 0) continue;
		const last = whole.at(-1);
		if (last !== undefined && goesOn(last, next))
			whole[whole.length - 1] = { ...last, lengthBytes: last.lengthBytes + next.lengthBytes };
		else whole.push(next);
	}
	return whole;
}

function goesOn(last: Part, next: Part): boolean {
	if (last.from.kind === 'zero') return next.from.kind === 'zero';
	if (last.from.kind !== 'device' || next.from.kind !== 'device') return false;
	return (
		last.from.path === next.from.path &&
		last.from.live === next.from.live &&
		last.from.atBytes + last.lengthBytes === next.from.atBytes
	);
}
