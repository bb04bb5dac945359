import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import { exists } from '../../system/if-there.ts';
import { blockBytes, blocksSchema } from './bitmaps.ts';
import { type Flavour, type MachineFiles, readJson } from './files.ts';
import { markedIn } from './marks.ts';
import { type CompleteSet, removeMark, type SetName, setFiles } from './sets.ts';

/** Whether a block, which has these bytes now, may have been others. `checkpoint_lost` when nobody knows any more. */
export type Changed = (block: number, bytes: Buffer) => Promise<boolean>;

/** Whether the platform can tell what has changed of a disk since a set was made. */
export async function changesSince(
	files: MachineFiles,
	flavour: Flavour,
	since: SetName,
	key: string,
): Promise<boolean> {
	if (flavour === 'bitmaps') {
		const mark = await named(files.bitmaps, since);
		return mark !== undefined && exists(join(mark.path, `${key}.json`));
	}
	const mark = await named(files.sets, since);
	return mark !== undefined && exists(setFiles.copyOf(mark.path, key));
}

/** What is known within a set of the changes of a disk; undefined when nothing is. */
export async function changesIn(
	files: MachineFiles,
	set: CompleteSet,
	since: SetName,
	key: string,
): Promise<Changed | undefined> {
	const path = setFiles.changesOf(set.path, key);
	const recorded = await readJson(path, blocksSchema);
	if (recorded !== undefined) {
		const blocks = new Set(recorded);
		return async block => {
			if (!(await exists(path))) throw checkpointLost();
			return blocks.has(block);
		};
	}
	const mark = await named(files.sets, since);
	const before = mark && setFiles.copyOf(mark.path, key);
	if (before === undefined || !(await exists(before))) return undefined;
	return async (block, bytes) => {
		const then = await contentOf(before);
		const offsetBytes = block * blockBytes;
		return !then.subarray(offsetBytes, offsetBytes + bytes.length).equals(bytes);
	};
}

async function contentOf(path: string): Promise<Buffer> {
	try {
		return await readFile(path);
	} catch (error) {
		throw isErrno(error, 'ENOENT') ? checkpointLost() : error;
	}
}

/** The platform loses what it has kept for this set. */
export async function forgetChanges(files: MachineFiles, set: CompleteSet, since: SetName): Promise<void> {
	for (const { key } of set.disks) await rm(setFiles.changesOf(set.path, key), { force: true });
	for (const directory of [files.sets, files.bitmaps]) {
		const mark = await named(directory, since);
		if (mark !== undefined) await removeMark(files, mark);
	}
}

async function named(directory: string, { tag, set }: SetName) {
	return (await markedIn(directory)).find(mark => mark.tag === tag && mark.set === set);
}

function checkpointLost(): RouseError {
	return new RouseError('checkpoint_lost', 'what the platform has kept to tell what changed is gone');
}
