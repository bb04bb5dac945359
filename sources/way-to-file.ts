import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readlink } from 'node:fs/promises';
import { RouseError } from '../model/errors.ts';
import { isErrno } from '../system/durable-file.ts';

/** open(2); Node has no name for it. Opens the place of a file without the file: no device and no pipe notices. */
const O_PATH = 0o10000000;
/** path_resolution(7). */
const mostLinks = 40;

export interface FoundFile {
	/** Of what the path led to, which no exchange of names alters any more; for its numbers, and to open it by. */
	place: FileHandle;
	found: Stats;
	/** Symbolic links on the way, and at its end. */
	links: { path: string; uid: number }[];
}

/**
 * Follows `path` (absolute) part by part, each from the directory that is open: whoever owns a directory on the way can put
 * something else in it at any moment, and looking at names before and after does not tell. Throws what open(2) throws.
 */
export async function wayToFile(path: string, { follow }: { follow: boolean }): Promise<FoundFile> {
	const links: FoundFile['links'] = [];
	const left = partsOf(path);
	let at = await open('/', constants.O_RDONLY | constants.O_DIRECTORY);
	let walked = '';
	try {
		for (;;) {
			const name = left.shift();
			if (name === undefined) {
				const place = at;
				return { place, found: await place.stat(), links };
			}
			const next = await open(`/proc/self/fd/${at.fd}/${name}`, O_PATH | constants.O_NOFOLLOW);
			const isLink = await isLinkIn(next);
			if (!isLink || (left.length === 0 && !follow)) {
				await at.close();
				at = next;
				walked = `${walked}/${name}`;
				continue;
			}
			try {
				const { uid, target } = await contentOf(next, `/proc/self/fd/${at.fd}/${name}`, path);
				links.push({ path: `${walked}/${name}`, uid });
				if (links.length > mostLinks) throw inCircle(path);
				left.unshift(...partsOf(target));
				if (!target.startsWith('/')) continue;
			} finally {
				await next.close();
			}
			await at.close();
			at = await open('/', constants.O_RDONLY | constants.O_DIRECTORY);
			walked = '';
		}
	} catch (error) {
		await at.close();
		throw error;
	}
}

function partsOf(path: string): string[] {
	return path.split('/').filter(part => part !== '' && part !== '.');
}

async function isLinkIn(handle: FileHandle): Promise<boolean> {
	return (await handle.stat()).isSymbolicLink();
}

/** Nobody can write a link anew, so what is read under its name is its own while that is still the one that is open. */
async function contentOf(link: FileHandle, name: string, path: string): Promise<{ uid: number; target: string }> {
	const { ino, dev, uid } = await link.stat();
	try {
		const target = await readlink(name);
		const named = await lstat(name);
		if (named.ino === ino && named.dev === dev) return { uid, target };
	} catch (error) {
		if (!isErrno(error, 'EINVAL') && !isErrno(error, 'ENOENT')) throw error; // no link any more, or nothing
	}
	throw exchanged(path);
}

/** Its name leads to another file than the one that was opened. */
export function exchanged(path: string): RouseError {
	return new RouseError('source_invalid', `${path} was moved, removed or exchanged while it was opened`, {
		hint: 'import it when nobody changes it',
	});
}

function inCircle(path: string): RouseError {
	return new RouseError('source_invalid', `${path} is a symbolic link that leads nowhere, but in a circle`);
}
