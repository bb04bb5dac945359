import { createHash } from 'node:crypto';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { nameSchema, pointTimeSchema } from '../../model/names.ts';
import { knownReadsSchema } from '../../movers/first-reads.ts';
import { isErrno, removeFileDurably, syncDirectory, temporarySuffix } from '../../system/durable-file.ts';
import { places } from '../../system/installation.ts';
import { readDocument, writeDocument } from './document.ts';

/** Each has some 10 KiB as a rule, and 700 at most. The one that was written longest ago goes first. */
const mostFiles = 1_000;
const mostBytes = 1024 * 1024;

/** What the machine of a drill has read until it was ready. */
const fileSchema = z.strictObject({
	version: z.literal(1),
	/** Absolute directory, as the plan names it. */
	repository: z.string().min(1),
	machine: nameSchema,
	restorePoint: pointTimeSchema,
	/** By which places in disks are compared. */
	disks: z.array(z.strictObject({ sizeBytes: z.int().min(0), chunkSizeBytes: z.int().min(1) })),
	...knownReadsSchema.shape,
});
export type FirstReadsFile = z.infer<typeof fileSchema>;

/** One file for each machine of a repository. */
export class FirstReadsFiles {
	readonly #directory: string;

	constructor(home: string) {
		this.#directory = places.firstReads(home);
	}

	/** Undefined when nothing is known; `format_damaged` when the file is not one of this version. */
	async read(repository: string, machine: string): Promise<FirstReadsFile | undefined> {
		const path = this.#path(repository, machine);
		const { size } = await statOf(path);
		if (size > mostBytes) throw new RouseError('format_damaged', `${path} has ${size} bytes, which no list comes to`);
		return readDocument(path, fileSchema);
	}

	/** Durable when it returns. */
	async write(file: FirstReadsFile): Promise<void> {
		const made = await mkdir(this.#directory, { recursive: true });
		if (made !== undefined) await syncDirectory(dirname(made));
		await writeDocument(this.#path(file.repository, file.machine), fileSchema, file);
		await this.#bound();
	}

	async #bound(): Promise<void> {
		const names = (await readdir(this.#directory)).filter(name => !name.endsWith(temporarySuffix));
		if (names.length <= mostFiles) return;
		const aged: { path: string; mtimeMs: number }[] = [];
		for (const name of names) {
			const path = join(this.#directory, name);
			aged.push({ path, mtimeMs: (await statOf(path)).mtimeMs });
		}
		const oldest = aged.toSorted((a, b) => a.mtimeMs - b.mtimeMs).slice(0, names.length - mostFiles);
		for (const { path } of oldest) await removeFileDurably(path);
	}

	/** A digest, since a directory's name may have any length. */
	#path(repository: string, machine: string): string {
		const digest = createHash('sha256')
			.update(JSON.stringify([repository, machine]))
			.digest('hex');
		return join(this.#directory, `${digest}.json`);
	}
}

async function statOf(path: string): Promise<{ size: number; mtimeMs: number }> {
	try {
		return await stat(path);
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return { size: 0, mtimeMs: 0 };
		throw error;
	}
}
