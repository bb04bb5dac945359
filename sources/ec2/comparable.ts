import type { SourceMachine } from '../machine/documents.ts';
import { type Ec2Snapshot, volumeOfCopies } from './cloud.ts';

/**
 * Why AWS cannot tell what has changed of a disk since an earlier snapshot of it; null when it can. `found`: what was asked for by
 * its id. At most 200 characters.
 */
export function whyNotComparable(
	{ key, sizeBytes }: Pick<SourceMachine['disks'][number], 'key' | 'sizeBytes'>,
	id: string | undefined,
	found: readonly Ec2Snapshot[],
): string | null {
	if (key === volumeOfCopies) return 'it is a copy, and AWS does not tell of which volume';
	if (id === undefined) return 'no snapshot of it is kept';
	const kept = found.find(({ snapshotId }) => snapshotId === id);
	if (kept === undefined) return `snapshot ${id} is gone`;
	if (kept.volumeId !== key) return `snapshot ${id} is not of this volume`;
	if (kept.sizeBytes !== sizeBytes) return `it had ${kept.sizeBytes} bytes and has ${sizeBytes}`;
	if (kept.isArchived) return `snapshot ${id} is in the archive`;
	return kept.state === 'completed' ? null : `snapshot ${id} is ${kept.state.slice(0, 20)}`;
}
