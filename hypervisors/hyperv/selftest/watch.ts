import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../../../system/wait.ts';
import { asRouseError, RouseError } from '../../../model/errors.ts';
import { look } from '../look.ts';
import type { Trial } from './trial.ts';

/** States of the machine, each with when it was first seen. */
export type Timeline = { afterMs: number; state: string }[];

/** Two reads may have been under way when it stood still. */
const readsOfOneThatGoesOn = 3;

/** Looks at the machine while something is wrong, and afterwards. */
export class Watch {
	readonly timeline: Timeline = [];
	readonly #trial: Trial;
	readonly #begun = performance.now();

	constructor(trial: Trial) {
		this.#trial = trial;
	}

	/** Of the machine now; `none` when it is gone, `silent` when the host does not answer. */
	async look(): Promise<string> {
		const state = await stateOf(this.#trial);
		if (this.timeline.at(-1)?.state !== state) this.timeline.push({ afterMs: this.#sinceMs(), state });
		return state;
	}

	async during(ms: number, signal: AbortSignal): Promise<void> {
		const end = performance.now() + ms;
		for (;;) {
			await this.look();
			const leftMs = end - performance.now();
			if (leftMs <= 0) return;
			await delay(Math.min(leftMs, this.#trial.times.lookEveryMs), undefined, { signal });
		}
	}

	/** How long until it runs and its guest reads; undefined when that is not within the patience. */
	async untilItGoesOn(signal: AbortSignal): Promise<number | undefined> {
		const begun = performance.now();
		const before = this.#trial.guestReads;
		const { goesOnMs, lookEveryMs } = this.#trial.times;
		try {
			await waitFor(
				'the guest to go on',
				async () => (await this.look()) === 'Running' && this.#trial.guestReads >= before + readsOfOneThatGoesOn,
				{ timeoutMs: goesOnMs, everyMs: lookEveryMs, signal },
			);
		} catch (error) {
			signal.throwIfAborted();
			if (asRouseError(error).code !== 'timeout') throw error;
			return undefined;
		}
		return Math.round(performance.now() - begun);
	}

	get text(): string {
		return this.timeline.map(({ afterMs, state }) => `${state} from ${(afterMs / 1000).toFixed(1)} s`).join(', ');
	}

	#sinceMs(): number {
		return Math.round(performance.now() - this.#begun);
	}
}

/** Whatever was done to it before: one that does not run is started anew. */
export async function ensureRunning(trial: Trial, signal: AbortSignal): Promise<void> {
	if ((await look(trial.parts, { signal }))?.stage === 'running') return;
	await trial.machine.powerOff({ signal });
	await trial.start(signal);
	if ((await new Watch(trial).untilItGoesOn(signal)) === undefined)
		throw new RouseError(
			'machine_failed',
			'the machine does not run any more, and its guest does not when it is started anew',
		);
}

async function stateOf(trial: Trial): Promise<string> {
	try {
		return (await look(trial.parts, {}))?.state ?? 'none';
	} catch (error) {
		return `silent (${asRouseError(error).message})`;
	}
}
