import { asRouseError } from '../../model/errors.ts';
import type { HostParts } from '../recovery/host-parts.ts';

/** After an end the first look comes soon and each other later: what was given up long ago hardly comes any more. */
const firstMs = 30_000;
const atMostMs = 3_600_000;

interface Next {
	waitMs: number;
	atMs: number;
}

/**
 * An attempt to pin that was given up, because it hung in the kernel or its worker stood still, may write its pin after the
 * unpin, and die before it could see that. So the pins of every repository that a recovery of this host has used are looked
 * through for good: a recovery that has a tombstone here needs none.
 */
export class LatePins {
	readonly #host: HostParts;
	readonly #repositories = new Map<string, Next>();
	#known = false;

	constructor(host: HostParts) {
		this.#host = host;
	}

	/** A recovery of this repository has ended. */
	ended(repository: string): void {
		this.#repositories.set(repository, { waitMs: firstMs, atMs: this.#host.clock.now() + firstMs });
	}

	/** The repositories to look at now; each is given once. */
	async due(): Promise<string[]> {
		const now = this.#host.clock.now();
		if (!this.#known)
			for (const repository of await this.#host.tombstones.repositories())
				if (!this.#repositories.has(repository)) this.ended(repository);
		this.#known = true;
		const due = [...this.#repositories].filter(([, { atMs }]) => atMs <= now);
		for (const [repository, { waitMs }] of due) {
			const nextMs = Math.min(2 * waitMs, atMostMs);
			this.#repositories.set(repository, { waitMs: nextMs, atMs: now + waitMs });
		}
		return due.map(([repository]) => repository);
	}

	/** Takes away what must not be there. One whose tombstone is damaged keeps its pin, and the others lose theirs. */
	async clear(repository: string): Promise<void> {
		// There the pins of all hosts are: `rouse doctor` of that machine finds those that are left.
		if ((await this.#host.findElsewhere(repository)) !== undefined) return;
		const failures: unknown[] = [];
		const { pins, unreadable } = await this.#host.repositories.listPins(repository);
		// A damaged one says by its name whose it is.
		for (const { recoveryId } of [...pins, ...unreadable]) {
			try {
				const tombstone = await this.#host.tombstones.read(recoveryId);
				// One that has left goes on elsewhere, by the same pin.
				if (tombstone === undefined || tombstone.left) continue;
				await this.#host.repositories.unpin(repository, recoveryId);
				this.#host.log.info({ recoveryId, repository }, 'the pin of a recovery that is over was taken away');
			} catch (error) {
				failures.push(error);
			}
		}
		if (failures.length > 0) throw asRouseError(failures[0]);
	}
}
