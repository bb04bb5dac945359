import { readdir, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { sha256Of } from '../../repository/format/sha256.ts';
import { isErrno, syncDirectory } from '../../system/durable-file.ts';
import { makeFolders } from '../../system/make-folders.ts';
import { checkOwnDirectory, makeOwnDirectory, type OwnDirectory } from '../../system/own-directory.ts';
import type { Claim, Leftover } from '../machine/documents.ts';
import { generationName, type PinnedObject, shortName } from './object.ts';
import { keptIn, removeObject, SpooledObject, usualPartBytes } from './spooled-object.ts';

/** Who keeps something there: an import of the workers, or the command, which has no tag before it knows its disks. */
export type Keeper = Pick<Claim, 'tag' | 'owner'> | 'command';

/** Of an import: a directory is one of its own, as its name says, from the moment on at which it is there. */
const ofImport = /^([0-9a-f-]{36})\.([0-9a-f-]{36})\.([a-z0-9][a-z0-9-]{0,39})\.([0-9a-f]{8})$/;

interface SpoolOptions {
	partBytes?: number;
	freeBytesAt?: (path: string) => Promise<number>;
}

/**
 * A directory in which archives are kept as they are fetched, until the import is over: no byte that is there is fetched again. What
 * is in it is a copy, so it may be taken away at any time.
 */
export class Spool {
	readonly #path: string;
	readonly #partBytes: number;
	readonly #freeBytesAt: (path: string) => Promise<number>;

	/** Only a directory within `directory` is ours. */
	constructor(directory: string, { partBytes = usualPartBytes, freeBytesAt = freeBytesOn }: SpoolOptions = {}) {
		this.#path = join(directory, 'rouse-spool');
		this.#partBytes = partBytes;
		this.#freeBytesAt = freeBytesAt;
	}

	/** What it would keep, for people. Changes nothing; throws `config_invalid` as {@link mustHaveRoom}. */
	async outlook(objects: readonly PinnedObject[]): Promise<string> {
		await checkOwnDirectory(this.#own);
		const needBytes = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
		const freeBytes = await this.#freeBytesAt(await nearest(this.#path));
		return `takes ${formatBytes(needBytes)} until it is imported, where ${formatBytes(freeBytes)} are free`;
	}

	/** `space_short` where what is still to be fetched of these has no room; `config_invalid` for a directory that is not ours alone. */
	async mustHaveRoom(keeper: Keeper, objects: readonly PinnedObject[]): Promise<void> {
		await makeOwnDirectory(this.#own);
		const kept = await Promise.all(objects.map(object => this.#objectOf(keeper, object).bytes()));
		const needBytes = objects.reduce((sum, { sizeBytes }, index) => sum + sizeBytes - (kept[index] ?? 0), 0);
		const freeBytes = await this.#freeBytesAt(this.#path);
		if (needBytes <= freeBytes) return;
		throw new RouseError(
			'space_short',
			`${this.#path} has ${formatBytes(freeBytes)} free, and the archives take ${formatBytes(needBytes)} more`,
			{ hint: 'make room there, or name another directory as the spool', details: { needBytes, freeBytes } },
		);
	}

	/** Where an object is kept: made when it is not there. Throws as {@link mustHaveRoom}. */
	async open(keeper: Keeper, object: PinnedObject): Promise<SpooledObject> {
		await this.#objectOf(keeper, object).removeUnfinished();
		await this.mustHaveRoom(keeper, [object]);
		const directory = this.#directoryOf(keeper, object);
		await makeFolders(directory, 0o700);
		for (const made of [dirname(directory), this.#path]) await syncDirectory(made);
		return this.#objectOf(keeper, object);
	}

	/** All that an import keeps. */
	async remove(tag: string, owner: string): Promise<void> {
		const path = this.#keeperPath({ tag, owner });
		for (const name of await namesIn(path)) await removeObject(join(path, name));
		await rm(path, { recursive: true, force: true, maxRetries: 3 });
	}

	/** What imports keep, of one owner or of all. */
	async *leftovers(owner: string | undefined): AsyncGenerator<Leftover> {
		for (const name of await namesIn(this.#path)) {
			const [, tag, ...parts] = ofImport.exec(name) ?? [];
			if (tag === undefined || (owner !== undefined && owner !== parts.join('/'))) continue;
			const path = join(this.#path, name);
			const found = await stat(path).catch(() => undefined); // taken away meanwhile
			if (found === undefined) continue;
			const what = shortName(`${formatBytes(await bytesIn(path))} of archives in ${this.#path}`);
			// When the last of its objects was begun; not all file systems know when a directory was made.
			const since = found.mtime.toISOString();
			yield { tag, owner: parts.join('/'), what, since, costText: null, canDelete: true };
		}
	}

	get #own(): OwnDirectory {
		return { path: this.#path, what: 'spool', elsewhere: 'name another directory' };
	}

	#keeperPath(keeper: Keeper): string {
		const name = keeper === 'command' ? keeper : `${keeper.tag}.${keeper.owner.replaceAll('/', '.')}`;
		return join(this.#path, name);
	}

	#directoryOf(keeper: Keeper, object: PinnedObject): string {
		return join(this.#keeperPath(keeper), sha256Of(Buffer.from(generationName(object))));
	}

	#objectOf(keeper: Keeper, object: PinnedObject): SpooledObject {
		return new SpooledObject(this.#directoryOf(keeper, object), object.sizeBytes, this.#partBytes);
	}
}

/** Itself, or the one above it that is there, which is on the same file system once it is made. */
async function nearest(path: string): Promise<string> {
	try {
		await stat(path);
		return path;
	} catch (error) {
		if (!isErrno(error, 'ENOENT') || dirname(path) === path) throw error;
		return nearest(dirname(path));
	}
}

async function freeBytesOn(path: string): Promise<number> {
	const { bavail, bsize } = await statfs(path);
	return bavail * bsize;
}

async function namesIn(path: string): Promise<string[]> {
	try {
		return await readdir(path);
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return [];
		throw error;
	}
}

/** Also while somebody adds to it, or takes it away. */
async function bytesIn(path: string): Promise<number> {
	let bytes = 0;
	for (const name of await namesIn(path)) bytes += await keptIn(join(path, name)).catch(() => 0);
	return bytes;
}
