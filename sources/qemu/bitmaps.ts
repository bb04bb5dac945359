import type { Since } from '../machine/documents.ts';
import * as z from 'zod';
import { type Attached, type Bitmap, lookAtNodes } from './look.ts';
import { isRefusal, type Monitor } from './monitor.ts';
import { bitmapName, type BitmapMark, parseBitmapName } from './names.ts';

export const checkpointSchema = z.strictObject({ set: z.uuid() });

/** What recorded the changes of a disk since a checkpoint, or why nothing has. */
export type Recorded = { name: string } | { why: string };

/** A checkpoint that is not of this kind, or of a version that is not known, is none. */
export function recordedSince({ key, bitmaps, isCopied }: Attached, since: Since | null): Recorded {
	const checkpoint = checkpointSchema.safeParse(since?.checkpoint);
	if (since === null) return { why: 'nothing is kept of it' };
	if (!checkpoint.success) return { why: 'what is kept of it is not understood here' };
	if (isCopied) return { why: 'it is being read, by another import or by somebody else' };
	const { set } = checkpoint.data;
	for (const bitmap of bitmaps) {
		const mark = parseBitmapName(bitmap.name ?? '');
		if (mark?.role !== 'new' || mark.tag !== since.tag || mark.set !== set || mark.key !== key) continue;
		const why = whyNot(bitmap);
		return why === undefined ? { name: bitmapName(mark) } : { why };
	}
	return { why: 'the bitmap of what was written to it is gone' };
}

export function markedBytes({ bitmaps }: Attached, name: string): number | undefined {
	return bitmaps.find(bitmap => bitmap.name === name)?.count;
}

function whyNot({ inconsistent, recording, busy }: Bitmap): string | undefined {
	if (inconsistent) return 'its bitmap was in use when QEMU was killed, and may lack what was written then';
	if (!recording) return 'somebody has its bitmap record no more';
	return busy ? 'somebody else uses its bitmap' : undefined;
}

export interface FoundBitmap extends BitmapMark {
	node: string;
	name: string;
	/** Of a node that nobody may write to, and of which nothing can be removed. */
	readOnly: boolean;
}

/** All of ours, wherever they are: also on an image that stands below an overlay by now. */
export async function ourBitmaps(monitor: Monitor): Promise<FoundBitmap[]> {
	return (await lookAtNodes(monitor)).flatMap(({ node, readOnly, bitmaps }) =>
		bitmaps.flatMap(({ name = '' }) => {
			const mark = parseBitmapName(name);
			return mark === undefined ? [] : { ...mark, node, name, readOnly };
		}),
	);
}

export async function removeBitmaps(monitor: Monitor, which: (mark: BitmapMark) => boolean): Promise<void> {
	for (const found of await ourBitmaps(monitor))
		if (which(found) && !found.readOnly) await removeBitmap(monitor, found);
}

async function removeBitmap(monitor: Monitor, { node, name }: FoundBitmap): Promise<void> {
	try {
		await monitor.order('block-dirty-bitmap-remove', { node, name });
	} catch (error) {
		// Removed meanwhile, by another process of ours or with its disk.
		if (!isRefusal(error) || (await ourBitmaps(monitor)).some(other => other.node === node && other.name === name))
			throw error;
	}
}
