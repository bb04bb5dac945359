/** Hyper-V leaves a disk as it is at a checkpoint, and goes on in another file beside it, which nobody may have thought of. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { describeVhdx } from '../vhdx/open.ts';
import { type OpenedFile, openFile } from './opened-file.ts';
import { vhdxBytes } from './vhdx.ts';

/** A machine has 50 checkpoints at most; each is opened. */
const mostLookedAt = 64;

/**
 * Told of a VHDX that a person has named, as a sentence, when a disk beside it was made upon it as it is. No more than told: what
 * was there at the checkpoint may be what is wanted. Throws `source_invalid` when the VHDX itself cannot be read.
 */
export async function doubtsOfCheckpoints(file: OpenedFile): Promise<string[]> {
	const { path, found, part } = file;
	if (!found.isFile() || part) return [];
	const { dataWriteGuid } = (await describeVhdx(await vhdxBytes(file))).ids;
	const children: string[] = [];
	for (const name of await disksBeside(path))
		if (await isMadeUpon(path, dataWriteGuid, join(dirname(path), name))) children.push(name);
	if (children.length === 0) return [];
	return [
		`${path} is as it was at a checkpoint: what was written since is in ${children.join(', ')} beside it; for that, import it instead, with --with-backing`,
	];
}

async function disksBeside(path: string): Promise<string[]> {
	// Who may read a file may not be allowed to look around it.
	const names = await readdir(dirname(path)).catch(() => []);
	return names
		.filter(name => /\.avhdx$/i.test(name) && name !== basename(path))
		.toSorted()
		.slice(0, mostLookedAt);
}

/** One that cannot be read, as that of a machine which runs, is told by its name: that of the first disk with a GUID. */
async function isMadeUpon(path: string, dataWriteGuid: string, other: string): Promise<boolean> {
	try {
		const file = await openFile(other, { follow: false });
		try {
			const { parent } = await describeVhdx(await vhdxBytes(file));
			return parent?.linkage === dataWriteGuid || parent?.otherLinkage === dataWriteGuid;
		} finally {
			await file.handle.close();
		}
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		return basename(other)
			.toLowerCase()
			.startsWith(`${basename(path, extname(path))}_`.toLowerCase());
	}
}
