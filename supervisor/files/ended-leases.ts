import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type HeldLease, requestIdOf } from '../../model/broker.ts';
import { RouseError } from '../../model/errors.ts';
import { createFileDurably, syncDirectory } from '../../system/durable-file.ts';
import { places } from '../../system/installation.ts';

/**
 * Leases of which this host has said that nothing runs: one file each, for good, since a request under one of them may come
 * from a worker that was cut off at any time.
 */
export class EndedLeases {
	readonly #directory: string;

	constructor(home: string) {
		this.#directory = places.endedLeases(home);
	}

	/** Throws `lease_ended` for one of them. */
	mustGoOn({ request }: HeldLease): void {
		const requestId = requestIdOf(request);
		if (!existsSync(this.#path(requestId))) return;
		throw new RouseError('lease_ended', `lease ${requestId} is over: this host has said that nothing of it runs`, {
			hint: 'its holder counts as ended; one that goes on asks for another lease',
		});
	}

	/** Durable when it returns. */
	async end(requestId: string, at: Date): Promise<void> {
		const made = await mkdir(this.#directory, { recursive: true });
		if (made !== undefined) await syncDirectory(dirname(made));
		await createFileDurably(this.#path(requestId), `${JSON.stringify({ requestId, at: at.toISOString() })}\n`);
	}

	/** A digest, since an id is of any characters. */
	#path(requestId: string): string {
		return join(this.#directory, `${createHash('sha256').update(requestId).digest('hex')}.json`);
	}
}
