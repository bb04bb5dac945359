import { opendir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, ofMedium, replaceFileDurably, temporarySuffix } from '../../system/durable-file.ts';

/** What a death loses at most, and what waits in memory. */
export const usualPartBytes = 16 * 2 ** 20;
const pieceBytes = 2 ** 18;

/** Where the parts begin. An object of Google's largest size has 330,000 of them: what asks for each, all at once, takes a GiB. */
async function partsIn(directory: string): Promise<number[]> {
	return (await readdir(directory)).filter(name => /^\d+$/.test(name)).map(Number);
}

/** What is kept in the directory of an object whose size is not known: as far as its last part goes. Throws `ENOENT`. */
export async function keptIn(directory: string): Promise<number> {
	const parts = await partsIn(directory);
	if (parts.length === 0) return 0;
	const last = parts.reduce((a, b) => Math.max(a, b));
	return last + (await stat(join(directory, String(last)))).size;
}

/** One part after the other: `rm` alone has all of them in its hands at once. */
export async function removeObject(directory: string): Promise<void> {
	try {
		for await (const { name } of await opendir(directory)) await rm(join(directory, name), { force: true });
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error; // somebody was faster
	}
	await rm(directory, { recursive: true, force: true, maxRetries: 3 });
}

/**
 * What was fetched of an object, in a directory of its own: parts of one size, called by where they begin. Each is durable before it has
 * its name, so whatever died what is there is right, and any process goes on behind it. Several may keep the same object at once: they
 * keep the same. Where the directory is taken away meanwhile nothing more is kept, and nothing fails.
 */
export class SpooledObject {
	readonly #directory: string;
	readonly #sizeBytes: number;
	readonly #partBytes: number;
	#keptBytes = 0;
	#waiting: Buffer[] = [];
	#waitingBytes = 0;

	constructor(directory: string, sizeBytes: number, partBytes = usualPartBytes) {
		this.#directory = directory;
		this.#sizeBytes = sizeBytes;
		this.#partBytes = partBytes;
	}

	/** From the first byte on, as far as it goes without a gap. Called before anything is {@link keep kept}. */
	async *read(): AsyncGenerator<Buffer> {
		while (this.#keptBytes < this.#sizeBytes) {
			const part = await this.#part(this.#keptBytes);
			if (part === undefined) return;
			for (let at = 0; at < part.length; at += pieceBytes) yield part.subarray(at, at + pieceBytes);
			this.#keptBytes += part.length;
		}
	}

	/** The bytes behind those that were read or kept before. They stay as they are. Throws `space_short`, `io_failed`. */
	async keep(piece: Buffer): Promise<void> {
		this.#waiting.push(piece);
		this.#waitingBytes += piece.length;
		while (this.#waitingBytes > 0 && this.#waitingBytes >= this.#lengthOf(this.#keptBytes)) {
			const all = Buffer.concat(this.#waiting);
			const part = all.subarray(0, this.#lengthOf(this.#keptBytes));
			await this.#save(part);
			this.#keptBytes += part.length;
			this.#waiting = [all.subarray(part.length)];
			this.#waitingBytes -= part.length;
		}
	}

	/** What of it is kept, by anybody: by the names alone. */
	async bytes(): Promise<number> {
		const parts = (await this.#unlessGone(partsIn(this.#directory), [])).filter(at => at < this.#sizeBytes);
		return parts.reduce((sum, beginsAt) => sum + this.#lengthOf(beginsAt), 0);
	}

	/** What those have left that died while they kept something. Whoever does so now keeps nothing of that part, which is here soon. */
	async removeUnfinished(): Promise<void> {
		const names = await this.#unlessGone(readdir(this.#directory), []);
		for (const name of names)
			if (name.endsWith(temporarySuffix)) await rm(join(this.#directory, name), { force: true });
	}

	async remove(): Promise<void> {
		await removeObject(this.#directory);
	}

	#lengthOf(beginsAt: number): number {
		return Math.min(this.#partBytes, this.#sizeBytes - beginsAt);
	}

	#pathOf(beginsAt: number): string {
		return join(this.#directory, String(beginsAt));
	}

	async #part(beginsAt: number): Promise<Buffer | undefined> {
		const path = this.#pathOf(beginsAt);
		const part = await this.#unlessGone(readFile(path).catch(unreadable), undefined);
		if (part === undefined || part.length === this.#lengthOf(beginsAt)) return part;
		await rm(path, { recursive: true, force: true }); // of a version that had others, or not ours
		return undefined;
	}

	async #save(part: Buffer): Promise<void> {
		// What has the name may be no whole part; and not all file systems can tell that a name is taken.
		await this.#unlessGone(replaceFileDurably(this.#pathOf(this.#keptBytes), part), undefined);
	}

	async #unlessGone<T, F>(work: Promise<T>, otherwise: F): Promise<T | F> {
		try {
			return await work;
		} catch (error) {
			if (isErrno(error, 'ENOENT')) return otherwise;
			throw ofMedium(error, this.#directory);
		}
	}
}

/** A bad sector, or no file of ours: there is another copy. As a part that is not whole. */
function unreadable(error: unknown): Buffer {
	if (isErrno(error, 'EIO') || isErrno(error, 'EISDIR')) return Buffer.alloc(0);
	throw error;
}
