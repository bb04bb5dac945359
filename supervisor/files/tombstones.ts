import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { nameSchema } from '../../model/names.ts';
import { incidentSchema } from '../../model/recovery.ts';
import { places } from '../../system/installation.ts';
import { readDocument, writeDocument } from './document.ts';

/**
 * How a recovery ended on this host. Written before anything of it is removed and kept for good: a request of the dead
 * recovery that comes late (an activity attempt that was thought lost) finds it and is refused.
 */
export const tombstoneSchema = z.strictObject({
	version: z.literal(1),
	recoveryId: z.uuid(),
	name: nameSchema,
	state: z.enum(['finished', 'discarded']),
	generation: z.int().min(0),
	/** False when the host never had it: its end was asked for before anything else, and a late request is refused. */
	wasHere: z.boolean(),
	at: z.iso.datetime(),
	/** The answer of the step that ended it, for whoever asks again. */
	incidents: z.array(incidentSchema),
});
export type Tombstone = z.infer<typeof tombstoneSchema>;

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

	#path(recoveryId: string): string {
		return join(this.#directory, `${recoveryId}.json`);
	}
}
