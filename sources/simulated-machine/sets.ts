import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { diskKeySchema } from '../../model/source-facts.ts';
import { isErrno } from '../../system/durable-file.ts';
import { exists } from '../../system/if-there.ts';
import type { Claim } from '../machine/documents.ts';
import { addBitmaps, bitmapOf, readBitmap } from './bitmaps.ts';
import { type MachineFiles, readJson, writeJson } from './files.ts';
import { carries, type Mark, type MarkedDirectory, markedIn, markName } from './marks.ts';

/** The last file of a set: all others were there before. */
const completeSchema = z.strictObject({
	takenAt: z.iso.datetime(),
	disks: z.array(z.strictObject({ key: diskKeySchema, sizeBytes: z.int().min(1) })),
});

/** All disks as they were at one time. */
export interface CompleteSet extends MarkedDirectory, z.infer<typeof completeSchema> {}

const completeFile = 'complete.json';
const copyOf = (set: string, key: string) => join(set, `${key}.disk`);
const changesOf = (set: string, key: string) => join(set, `${key}.changes`);

export const setFiles = { copyOf, changesOf };

/** The earliest complete set that carries the tag; what of it is not complete is removed. */
export async function findSet(files: MachineFiles, claim: Claim): Promise<CompleteSet | undefined> {
	let earliest: CompleteSet | undefined;
	for (const directory of await markedIn(files.sets)) {
		if (!carries(directory, claim)) continue;
		const complete = await readSet(directory);
		if (complete === undefined) await removeMark(files, directory);
		else if (earliest === undefined || complete.takenAt < earliest.takenAt) earliest = complete;
	}
	return earliest;
}

async function readSet(directory: MarkedDirectory): Promise<CompleteSet | undefined> {
	const complete = await readJson(join(directory.path, completeFile), completeSchema);
	return complete && { ...directory, ...complete };
}

/** A set by its name, if it is there and complete. */
export async function setAt(files: MachineFiles, mark: Mark): Promise<CompleteSet | undefined> {
	return readSet({ ...mark, path: join(files.sets, markName(mark)) });
}

/** Of a set whose owner is known from elsewhere. */
export type SetName = Pick<Mark, 'tag' | 'set'>;

export interface NewSet {
	mark: Mark;
	disks: CompleteSet['disks'];
	takenAt: Date;
	/** Whether bitmaps begin to record. Those that have recorded since that set are copied; they go on recording. */
	records: boolean;
	since: SetName | null;
	beforeDisk: () => Promise<void>;
}

/** Copies all disks. Whoever dies in it leaves a set that is not complete. */
export async function makeSet(files: MachineFiles, order: NewSet): Promise<CompleteSet> {
	const { mark, disks, records, since, beforeDisk } = order;
	const path = join(files.sets, markName(mark));
	await mkdir(path, { recursive: true });
	const keys = disks.map(({ key }) => key);
	if (records) await addBitmaps(files, mark, keys);
	for (const key of keys) {
		await beforeDisk();
		await copyFile(files.disk(key), copyOf(path, key));
		const changes = since && (await readBitmap(bitmapOf(files, { ...since, owner: mark.owner }, key)));
		if (changes) await writeJson(changesOf(path, key), changes);
	}
	const complete = { takenAt: order.takenAt.toISOString(), disks };
	await writeJson(join(path, completeFile), complete);
	return { ...mark, path, ...complete };
}

/** All that was made by one begin; what counts goes first. */
export async function removeMark(files: MachineFiles, mark: Mark): Promise<void> {
	await removeSet(files, mark);
	await rm(join(files.bitmaps, markName(mark)), { recursive: true, force: true });
}

/** The copies alone, all at once: a set that is half there would be taken for one that was never complete. */
export async function removeSet(files: MachineFiles, mark: Mark): Promise<void> {
	const path = join(files.sets, markName(mark));
	try {
		await rename(path, `${path}.gone`);
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error;
	}
	await rm(`${path}.gone`, { recursive: true, force: true });
}

/** Of a tag the earliest set, which its moment is, or what is kept of it when it has been read; all else of it goes. */
export async function keepCheckpoint(files: MachineFiles, claim: Claim): Promise<void> {
	const kept = await findSet(files, claim);
	if (kept === undefined) return;
	for (const mark of await marksOf(files, claim)) if (mark.set !== kept.set) await removeMark(files, mark);
	// A hypervisor goes on recording, and needs no copies for that.
	if (await exists(join(files.bitmaps, markName(kept)))) await removeSet(files, kept);
}

export async function removeTag(files: MachineFiles, claim: Pick<Claim, 'tag' | 'owner'>): Promise<void> {
	for (const mark of await marksOf(files, claim)) await removeMark(files, mark);
}

async function marksOf(files: MachineFiles, claim: Pick<Claim, 'tag' | 'owner'>): Promise<Mark[]> {
	const all = [...(await markedIn(files.sets)), ...(await markedIn(files.bitmaps))];
	return all.filter(mark => carries(mark, claim));
}
