import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { asRouseError } from '../../model/errors.ts';
import { nameSchema } from '../../model/names.ts';
import { incidentSchema } from '../../model/recovery.ts';
import { isErrno } from '../../system/durable-file.ts';
import { places } from '../../system/installation.ts';
import { readDocument, writeDocument } from './document.ts';

/**
 * How a recovery ended on this host. Written before anything of it is removed and kept for good: a request of the dead
 * recovery that comes late (an activity attempt that was thought lost) finds it and is refused.
 */
const tombstoneSchema = z.strictObject({
	version: z.literal(1),
	recoveryId: z.uuid(),
	name: nameSchema,
	/** Where it may have a pin; null when the host never learnt that. */
	repository: z.string().nullable(),
	state: z.enum(['finished', 'discarded']),
	generation: z.int().min(0),
	/** It goes on on another host, and may come back: nothing is over but what was asked up to `generation`. */
	left: z.boolean().default(false),
	/** False when the host never had it: its end was asked for before anything else, and a late request is refused. */
	wasHere: z.boolean(),
	at: z.iso.datetime(),
	/** Number of the last capacity report that does not count its machine among what no lease covers. */
	afterReport: z.int().min(0).default(0),
	/** The answer of the step that ended it, for whoever asks again. */
	incidents: z.array(incidentSchema),
});
export type Tombstone = z.infer<typeof tombstoneSchema>;

/** Whether it refuses what is asked under this generation. */
export function holdsAgainst({ left, generation }: Tombstone, asked: { generation: number }): boolean {
	return !left || asked.generation <= generation;
}

export class Tombstones {
	readonly #directory: string;

	constructor(home: string) {
		this.#directory = places.tombstones(home);
	}

	read(recoveryId: string): Promise<Tombstone | undefined> {
		return readDocument(this.#path(recoveryId), tombstoneSchema);
	}

	async write(tombstone: Tombstone): Promise<void> {
		await mkdir(this.#directory, { recursive: true });
		await writeDocument(this.#path(tombstone.recoveryId), tombstoneSchema, tombstone);
	}

	/** All that the recoveries which ended here have used; one whose file cannot be understood tells nothing. */
	async repositories(): Promise<Set<string>> {
		const found = new Set<string>();
		for (const file of await this.#files()) {
			const repository = await this.#repositoryOf(file);
			if (repository !== null) found.add(repository);
		}
		return found;
	}

	async #repositoryOf(file: string): Promise<string | null> {
		try {
			return (await readDocument(join(this.#directory, file), tombstoneSchema))?.repository ?? null;
		} catch (error) {
			if (asRouseError(error).code === 'format_damaged') return null;
			throw error;
		}
	}

	async #files(): Promise<string[]> {
		try {
			return (await readdir(this.#directory)).filter(name => name.endsWith('.json'));
		} catch (error) {
			if (isErrno(error, 'ENOENT')) return [];
			throw error;
		}
	}

	#path(recoveryId: string): string {
		return join(this.#directory, `${recoveryId}.json`);
	}
}
