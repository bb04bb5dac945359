/** Hyper-V leaves a disk as it is at a checkpoint, and goes on in another file beside it, which nobody may have thought of. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { describeVhdx } from '../vhdx/open.ts';
import { type OpenedFile, openFile } from './opened-file.ts';
import { vhdxBytes } from './vhdx.ts';

/** A machine has 50 checkpoints at most, and others may have theirs in the same directory; each is opened. */
const mostLookedAt = 64;

/**
 * Told of a VHDX that a person has named, as sentences, when a disk beside it was made upon it as it is, or may have been. No more than told: what
 * was there at the checkpoint may be what is wanted. Throws `source_invalid` when the VHDX itself cannot be read, and when one
 * beside it is being merged into it: it then has a part of that one's blocks, and is by itself a disk that never was.
 */
export async function doubtsOfCheckpoints(file: OpenedFile): Promise<string[]> {
	const { path, found, part } = file;
	if (!found.isFile() || part) return [];
	const { dataWriteGuid } = (await describeVhdx(await vhdxBytes(file))).ids;
	const children: string[] = [];
	const perhaps: string[] = [];
	for (const name of await disksBeside(path)) {
		const other = join(dirname(path), name);
		const relation = await relationOf(path, dataWriteGuid, other);
		if (relation === 'is merged into it') throw halfMerged(path, other);
		if (relation === 'was made upon it') children.push(name);
		if (relation === 'cannot be told') perhaps.push(name);
	}
	const doubts: string[] = [];
	if (children.length > 0)
		doubts.push(
			`${path} is as it was at a checkpoint: what was written since is in ${children.join(', ')} beside it; for that, import it instead, with --with-backing`,
		);
	if (perhaps.length > 0)
		doubts.push(
			`${path} may be as it was at a checkpoint: by its name what was written since may be in ${perhaps.join(', ')} beside it, which cannot be read. Does the machine run?`,
		);
	return doubts;
}

async function disksBeside(path: string): Promise<string[]> {
	// Who may read a file may not be allowed to look around it.
	const names = await readdir(dirname(path)).catch(() => []);
	const others = names.filter(name => /\.avhdx$/i.test(name) && name !== basename(path)).toSorted();
	const alike = others.filter(name => isCalledAlike(path, name));
	return [...new Set([...alike, ...others])].slice(0, mostLookedAt);
}

/** Hyper-V calls each disk of a chain by the first one's name, with a GUID of its own behind it. */
function isCalledAlike(path: string, name: string): boolean {
	const first = basename(path, extname(path)).replace(/_[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i, '');
	return name.toLowerCase().startsWith(`${first}_`.toLowerCase());
}

function halfMerged(path: string, other: string): RouseError {
	return new RouseError(
		'source_invalid',
		`${path} is no disk by itself: the merge of ${other} into it was begun, and whether it has ended cannot be told`,
		{ hint: `import ${other} instead, with --with-backing; or let the merge end where the machine ran` },
	);
}

/** What a disk is to that at `path`. */
type Relation = 'was made upon it' | 'is merged into it' | 'cannot be told' | 'none';

/**
 * One that cannot be read, as that of a machine which runs, is told by its name, whatever keeps it from being read, a lock of
 * Hyper-V's on a share or a bad sector: it is not the disk that is wanted.
 */
async function relationOf(path: string, dataWriteGuid: string, other: string): Promise<Relation> {
	try {
		const file = await openFile(other, { follow: false });
		try {
			const { parent } = await describeVhdx(await vhdxBytes(file));
			if (parent?.linkage === dataWriteGuid) return 'was made upon it';
			// A merge stores what the parent is called from then on as the second one, and then writes to the parent: 2.6.2.6.3.
			return parent?.otherLinkage === dataWriteGuid ? 'is merged into it' : 'none';
		} finally {
			await file.handle.close();
		}
	} catch {
		return isCalledAlike(path, basename(other)) ? 'cannot be told' : 'none';
	}
}
