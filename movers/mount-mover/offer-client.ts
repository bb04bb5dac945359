import type { Clock } from '../../system/clock.ts';
import { isErrno } from '../../system/durable-file.ts';
import { Agent, request } from '../../system/node-http.ts';
import type { Counters } from './counters.ts';

/** After nobody was there, or it had too much to do: a migration mover is not asked again and again. */
const againMs = 1_000;
/** So often one that is there is asked to take a chunk; one that dies of it, or says nothing, as well. */
const mostAttempts = 3;
const answerTimeoutMs = 5_000;
/** What waits to be offered, as it was stored; what comes when it is full is dropped. A single one may be larger. */
const queueBytes = 16 * 1024 * 1024;

interface Offer {
	disk: string;
	index: number;
	stored: Buffer;
	attempts: number;
}

/** Its status; `absent`: nobody was there. */
type Answer = number | 'absent' | 'unanswered';

/**
 * Offers chunks that were fetched for the guest to the migration mover (movers/migration-mover/offers.ts), so that they
 * are not fetched twice. One at a time; what was fetched before that mover is there waits for it. Nothing waits for an offer.
 */
export class OfferClient {
	readonly #socketPath: string;
	readonly #counters: Counters;
	readonly #clock: Pick<Clock, 'delay'>;
	readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
	readonly #queue: Offer[] = [];
	#queuedBytes = 0;
	#sending = false;
	readonly #closed = new AbortController();

	constructor(socketPath: string, counters: Counters, clock: Pick<Clock, 'delay'>) {
		this.#socketPath = socketPath;
		this.#counters = counters;
		this.#clock = clock;
	}

	/** `stored` is copied before this returns. */
	offer(disk: string, index: number, stored: Uint8Array): void {
		if (this.#queue.length > 0 && this.#queuedBytes + stored.length > queueBytes) {
			this.#counters.offersDropped += 1;
			return;
		}
		this.#queue.push({ disk, index, stored: Buffer.from(stored), attempts: 0 });
		this.#queuedBytes += stored.length;
		void this.#sendAll();
	}

	close(): void {
		this.#closed.abort();
		this.#agent.destroy();
	}

	async #sendAll(): Promise<void> {
		if (this.#sending) return;
		this.#sending = true;
		const { signal } = this.#closed;
		for (let offer = this.#queue[0]; offer && !signal.aborted; offer = this.#queue[0]) {
			const status = await this.#send(offer);
			if (status !== 'absent') offer.attempts += 1;
			const again = status === 'unanswered' || status === 429;
			if (status === 'absent' || (again && offer.attempts < mostAttempts)) {
				await this.#clock.delay(againMs, signal).catch(() => {}); // only ever aborted
				continue;
			}
			this.#queue.shift();
			this.#queuedBytes -= offer.stored.length;
			if (status === 204) this.#counters.offersTaken += 1;
			else this.#counters.offersDropped += 1;
		}
		this.#sending = false;
	}

	#send({ disk, index, stored }: Offer): Promise<Answer> {
		const { promise, resolve } = Promise.withResolvers<Answer>();
		const call = request({
			socketPath: this.#socketPath,
			agent: this.#agent,
			method: 'POST',
			path: `/offer?disk=${disk}&chunk=${index}`,
			headers: { 'content-type': 'application/octet-stream', 'content-length': stored.length },
			signal: AbortSignal.timeout(answerTimeoutMs),
		});
		call.on('error', error => resolve(isAbsent(error) ? 'absent' : 'unanswered'));
		call.once('response', response => {
			response.resume();
			response.once('close', () => resolve(response.statusCode ?? 'unanswered'));
		});
		call.end(stored);
		return promise;
	}
}

/** No socket, or one that a dead process has left. */
function isAbsent(error: unknown): boolean {
	return isErrno(error, 'ENOENT') || isErrno(error, 'ECONNREFUSED');
}
