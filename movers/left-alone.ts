import { access } from 'node:fs/promises';
import type { Server } from 'node:net';
import type { Clock } from '../system/clock.ts';
import { isErrno } from '../system/durable-file.ts';

/**
 * So many looks in a row must find nobody. Counted, not timed: a process that was stopped for a while has looked once when
 * it goes on, and those who waited for it come in before the next look.
 */
const looks = 4;

/** Whether anybody uses a server, without a connection that stays being asked for. */
export class Visitors {
	#here = 0;
	#came = false;

	watch(server: Pick<Server, 'on'>): void {
		server.on('connection', socket => {
			this.#came = true;
			this.#here += 1;
			socket.once('close', () => {
				this.#here -= 1;
			});
		});
	}

	/** Somebody is connected, or was since this was asked last. */
	get came(): boolean {
		const came = this.#came || this.#here > 0;
		this.#came = false;
		return came;
	}
}

export interface Alone {
	/** Somebody is connected, or was since the last look. */
	visited: () => boolean;
	/** Somebody will come, though nobody is here. Asked when nobody was here for long; what it throws counts as yes. */
	needed: () => Promise<boolean>;
	/** For how long nobody must have been here. */
	aloneMs: number;
	clock: Pick<Clock, 'delay'>;
}

/**
 * Resolves when nobody uses a mover any more. A supervisor that lives ends what is unused by itself, and looks at what is
 * used several times a second; this is for movers whose supervisor is gone, and which no other one will ever find since
 * their home was removed.
 */
export async function leftAlone({ visited, needed, aloneMs, clock }: Alone): Promise<void> {
	for (let unseen = 0; unseen < looks || (await needed().catch(() => true)); ) {
		await clock.delay(aloneMs / looks);
		unseen = visited() ? 0 : unseen + 1;
	}
}

/**
 * Whether a mover's own configuration is still there: who removes it wants no mover here, be it the supervisor, or somebody
 * who removed the whole installation. Throws when that cannot be known.
 */
export async function isConfigured(path: string): Promise<boolean> {
	try {
		await access(path);
		return true;
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return false;
		throw error;
	}
}
