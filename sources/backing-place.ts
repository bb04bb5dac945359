/** Where the image lies that another one lies on. */
import { lstat, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { isErrno } from '../system/durable-file.ts';
import type { BackingReference } from './image-references.ts';
import { referredPath } from './opened-file.ts';

/** The first of the places where something is. Throws `source_invalid` when there is nothing, or a name is no plain path. */
export async function placeOf(path: string, { names, isOfWindows }: BackingReference): Promise<string> {
	const named = names.map(name => referredPath(path, name));
	// Of two directories both may be called alike: what is in the parent's place is the child itself then.
	const places = isOfWindows ? named.filter(place => place !== path) : named;
	if (places.length === 0)
		throw new RouseError('source_invalid', `${path} lies on another file of the same name, which cannot be beside it`, {
			hint: 'merge it where it was made, or export the machine there',
		});
	for (const place of places) if (await isThere(place)) return place;
	for (const place of isOfWindows ? places : []) {
		const called = await calledAlike(place);
		if (called !== undefined && called !== path) return called;
	}
	throw new RouseError('source_invalid', `there is no ${places.join(', and no ')}, and ${path} lies on it`, {
		hint: 'copy all that it lies on to where it is looked for',
	});
}

/** The one file of its directory that Windows would take it for. */
async function calledAlike(place: string): Promise<string | undefined> {
	const names = await readdir(dirname(place)).catch(() => []);
	const [name, ...others] = names.filter(other => other.toLowerCase() === basename(place).toLowerCase());
	return name === undefined || others.length > 0 ? undefined : join(dirname(place), name);
}

/** Whatever it is; what cannot be told, its opening tells. */
async function isThere(path: string): Promise<boolean> {
	try {
		await lstat(path);
		return true;
	} catch (error) {
		return !isErrno(error, 'ENOENT') && !isErrno(error, 'ENOTDIR');
	}
}
