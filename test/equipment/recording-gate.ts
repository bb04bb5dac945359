import { setImmediate as turn } from 'node:timers/promises';
import type { MoverGate } from '../../hypervisors/contract.ts';
import type { PretendMover } from './simulated-bench.ts';

/** The gate of a mover that holds reads: its patience is over as soon as everybody else has had a turn. */
export class RecordingGate implements MoverGate {
	readonly calls: string[] = [];
	readonly #mover: PretendMover;

	constructor(mover: PretendMover) {
		this.#mover = mover;
	}

	async clear({ patienceMs }: { patienceMs: number }): Promise<void> {
		this.calls.push(`clear after ${patienceMs}`);
		await this.#failWhatWaits();
	}

	async pass<T>(work: () => Promise<T>, options: { first?: boolean; patienceMs?: number }): Promise<T> {
		const { first = false, patienceMs = Number.POSITIVE_INFINITY } = options;
		this.calls.push(`pass${first ? ' first' : ''} after ${patienceMs}`);
		if (first) await this.#failWhatWaits();
		const over = new AbortController();
		const failing = patienceMs === Number.POSITIVE_INFINITY ? undefined : this.#keepFailing(over.signal);
		try {
			return await work();
		} finally {
			over.abort();
			await failing;
		}
	}

	async free(work: () => Promise<void>): Promise<boolean> {
		this.calls.push('free');
		if (this.#mover.waiting === 0) return false;
		await this.#failWhatWaits();
		await work();
		return true;
	}

	async reopen(): Promise<void> {
		this.calls.push('reopen');
		await this.#mover.stop();
		await this.#mover.start();
	}

	async #keepFailing(over: AbortSignal): Promise<void> {
		while (!over.aborted) await this.#failWhatWaits();
	}

	async #failWhatWaits(): Promise<void> {
		await turn();
		if (this.#mover.waiting > 0) this.#mover.failPending();
		await turn();
	}
}
