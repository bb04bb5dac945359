/** https://libvirt.org/formatcheckpoint.html: for each of them QEMU has a bitmap on each disk, which records until it is deleted. */
import * as z from 'zod';
import type { Since } from '../machine/documents.ts';
import { attribute, documentOf, elementsAt } from './xml.ts';
import type { DomainDisk } from './domain.ts';
import { type CheckpointMark, checkpointName, parseCheckpointName } from './names.ts';
import { isRefusal, type Virsh } from './virsh.ts';

export const checkpointSchema = z.strictObject({ set: z.uuid() });

const notRecorded = 'it is no qcow2 image: libvirt records nothing of it';

/** By which checkpoint, and how much, it is known what was written to a disk; or why it is not. */
export type Recorded = { name: string; bytes: number } | { why: string };

export async function ourCheckpoints(virsh: Virsh, uuid: string, signal: AbortSignal): Promise<CheckpointMark[]> {
	const names = await virsh('checkpoint-list', ['--domain', uuid, '--name'], { signal });
	return names.split('\n').flatMap(name => parseCheckpointName(name.trim()) ?? []);
}

/** What tells the changes of each disk since a checkpoint. One that is not of this kind, or of a version that is not known, is none. */
export async function recordedSince(
	virsh: Virsh,
	{ uuid, disks }: { uuid: string; disks: readonly DomainDisk[] },
	since: Since | null,
	signal: AbortSignal,
): Promise<Map<string, Recorded>> {
	const all = (why: string) =>
		new Map(disks.map(({ key, keepsBitmaps }) => [key, { why: keepsBitmaps ? why : notRecorded }]));
	if (since === null) return all('nothing is kept of it');
	const checkpoint = checkpointSchema.safeParse(since.checkpoint);
	if (!checkpoint.success) return all('what is kept of it is not understood here');
	const mark = (await ourCheckpoints(virsh, uuid, signal)).find(
		({ tag, set }) => tag === since.tag && set === checkpoint.data.set,
	);
	if (mark === undefined) return all('the checkpoint of what was written to it is gone');
	const name = checkpointName(mark);
	const sizes = sizesIn(
		await virsh('checkpoint-dumpxml', ['--domain', uuid, '--checkpointname', name, '--no-domain', '--size'], {
			signal,
		}),
	);
	return new Map(disks.map(disk => [disk.key, recorded(disk, name, sizes)]));
}

function recorded(
	{ target, keepsBitmaps }: DomainDisk,
	name: string,
	sizes: Map<string, number | undefined>,
): Recorded {
	const bytes = sizes.get(target);
	if (bytes !== undefined) return { name, bytes };
	if (!keepsBitmaps) return { why: notRecorded };
	return {
		why: sizes.has(target) ? 'its bitmap is gone, or was in use when QEMU was killed' : 'it was not there then',
	};
}

/** By the targets of the disks. libvirt leaves the size out where it cannot rely on the bitmap. */
function sizesIn(text: string): Map<string, number | undefined> {
	const sizes = new Map<string, number | undefined>();
	for (const disk of elementsAt(documentOf(text), 'disks', 'disk')) {
		const [target, size] = [attribute(disk, 'name'), attribute(disk, 'size')];
		if (target !== undefined && attribute(disk, 'checkpoint') !== 'no')
			sizes.set(target, size === undefined ? undefined : Number(size));
	}
	return sizes;
}

/** With their bitmaps. Only of a domain that runs. */
export async function removeCheckpoints(
	virsh: Virsh,
	uuid: string,
	which: (mark: CheckpointMark) => boolean,
	signal: AbortSignal,
): Promise<void> {
	for (const mark of (await ourCheckpoints(virsh, uuid, signal)).filter(which)) {
		const named = ['--domain', uuid, '--checkpointname', checkpointName(mark)];
		try {
			await virsh('checkpoint-delete', named, { signal });
		} catch (error) {
			if (!isRefusal(error)) throw error;
			// Never stored, as QEMU was killed, or gone with its image: then libvirt deletes what it has noted alone.
			if (/not found in backing chain/i.test(error.message))
				await virsh('checkpoint-delete', [...named, '--metadata'], { signal });
			// Deleted meanwhile, by another process of ours.
			else if ((await ourCheckpoints(virsh, uuid, signal)).some(({ set }) => set === mark.set)) throw error;
		}
	}
}
