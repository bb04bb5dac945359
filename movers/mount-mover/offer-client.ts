import { Agent, request } from 'node:http';
import type { Clock } from '../../system/clock.ts';
import type { Counters } from './counters.ts';

/** After nobody was there: a migration mover that is away must not cost the guest a connection attempt per chunk. */
const absentMs = 1_000;
const answerTimeoutMs = 5_000;

/**
 * Offers chunks that were fetched for the guest to the migration mover (movers/migration-mover/offers.ts), so that they
 * are not fetched twice. One at a time; what comes meanwhile is dropped. Nothing waits for it.
 */
export class OfferClient {
	readonly #socketPath: string;
	readonly #counters: Counters;
	readonly #clock: Pick<Clock, 'now'>;
	readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
	#busy = false;
	#absentUntilMs = -Infinity;

	constructor(socketPath: string, counters: Counters, clock: Pick<Clock, 'now'>) {
		this.#socketPath = socketPath;
		this.#counters = counters;
		this.#clock = clock;
	}

	/** `stored` is copied before this returns. */
	offer(disk: string, index: number, stored: Uint8Array): void {
		if (this.#busy || this.#clock.now() < this.#absentUntilMs) {
			this.#counters.offersDropped += 1;
			return;
		}
		this.#busy = true;
		const ended = (taken: boolean, absent = false) => {
			if (!this.#busy) return;
			this.#busy = false;
			if (taken) this.#counters.offersTaken += 1;
			else this.#counters.offersDropped += 1;
			if (absent) this.#absentUntilMs = this.#clock.now() + absentMs;
		};
		const call = request({
			socketPath: this.#socketPath,
			agent: this.#agent,
			method: 'POST',
			path: `/offer?disk=${disk}&chunk=${index}`,
			headers: { 'content-type': 'application/octet-stream', 'content-length': stored.length },
			signal: AbortSignal.timeout(answerTimeoutMs),
		});
		call.once('error', () => ended(false, true));
		call.once('response', response => {
			response.resume();
			response.once('close', () => ended(response.statusCode === 204));
		});
		call.end(Buffer.from(stored));
	}

	close(): void {
		this.#agent.destroy();
	}
}
