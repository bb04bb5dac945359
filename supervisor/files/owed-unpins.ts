import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { isErrno, removeFileDurably } from '../../system/durable-file.ts';
import { places } from '../../system/installation.ts';
import { readDocument, writeDocument } from './document.ts';

/**
 * A pin that a recovery which is over could not take away, because its repository was away, full or read-only. The host
 * owes it from then on, and settles it when the repository is back.
 */
const owedUnpinSchema = z.strictObject({
	/** Absolute directory. */
	repository: z.string().min(1),
	recoveryId: z.uuid(),
	since: z.iso.datetime(),
});
export type OwedUnpin = z.infer<typeof owedUnpinSchema>;

const suffix = '.json';

/** One file for each, by the recovery's id. */
export class OwedUnpins {
	readonly #directory: string;

	constructor(home: string) {
		this.#directory = places.owedUnpins(home);
	}

	async add(owed: OwedUnpin): Promise<void> {
		await mkdir(this.#directory, { recursive: true });
		await writeDocument(this.#path(owed.recoveryId), owedUnpinSchema, owed);
	}

	/** The recoveries whose unpins are owed. */
	async recoveryIds(): Promise<string[]> {
		try {
			const names = await readdir(this.#directory);
			return names.filter(name => name.endsWith(suffix)).map(name => name.slice(0, -suffix.length));
		} catch (error) {
			if (isErrno(error, 'ENOENT')) return [];
			throw error;
		}
	}

	/** Undefined when it was settled meanwhile; `format_damaged` when the file is not one. */
	read(recoveryId: string): Promise<OwedUnpin | undefined> {
		return readDocument(this.#path(recoveryId), owedUnpinSchema);
	}

	remove(recoveryId: string): Promise<void> {
		return removeFileDurably(this.#path(recoveryId));
	}

	#path(recoveryId: string): string {
		return join(this.#directory, `${recoveryId}${suffix}`);
	}
}
