import { RouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import type { Mover } from './movers.ts';

interface Asked<State> {
	state(options?: { timeoutMs?: number }): Promise<State>;
}

/** A mover that holds its lock and answers nothing for this long is replaced. */
const hungAfterMs = 5_000;
/** One that has not answered yet is given longer: on a busy host a program takes its time to start. */
const startingMs = 15_000;
/**
 * Both twice as long each time that it was not enough, or on a host that is slow enough none would ever come up: one that is
 * replaced starts from nothing, and takes the processor from those that are about to answer.
 */
const mostPatience = 16;
/** A mover that lived for this long is started again at once when it dies. */
const soundAfterMs = 10_000;
const longestBackoffMs = 30_000;
/** So many deaths in a row, and a person should know. */
const worrying = 5;

/** Keeps one mover that should run running. */
export class MoverWatch<State> {
	readonly #mover: Mover<Asked<State>>;
	readonly #clock: Pick<Clock, 'now'>;
	readonly #incident: (kind: string, message: string) => Promise<void>;
	#process: string | undefined;
	#since = 0;
	#answeredAt = 0;
	#answered = false;
	#patience = 1;
	#notBefore = 0;
	#deaths = 0;
	#failure: RouseError | undefined;

	constructor(
		mover: Mover<Asked<State>>,
		clock: Pick<Clock, 'now'>,
		incident: (kind: string, message: string) => Promise<void>,
	) {
		this.#mover = mover;
		this.#clock = clock;
		this.#incident = incident;
	}

	/** Set while it dies again and again. */
	get failure(): RouseError | undefined {
		return this.#deaths >= worrying ? this.#failure : undefined;
	}

	/** Looks once: starts what is dead, replaces what hangs. Its state, or undefined while it does not answer. */
	async keep(): Promise<State | undefined> {
		const holder = await this.#mover.holder();
		if (holder === undefined) {
			await this.#startAgain();
			return undefined;
		}
		const now = this.#clock.now();
		const process = `${holder.pid}/${holder.startTicks}`;
		if (process !== this.#process) {
			this.#process = process;
			this.#since = this.#answeredAt = now;
			this.#answered = false;
		}
		try {
			const state = await this.#mover.control.state({ timeoutMs: 1_000 });
			this.#answeredAt = this.#clock.now();
			this.#answered = true;
			if (this.#answeredAt - this.#since > soundAfterMs) this.forgive();
			return state;
		} catch {
			// No answer is an observation here; what follows from it is decided by how long it lasts.
			const silentMs = this.#clock.now() - this.#answeredAt;
			const longestMs = this.#patience * (this.#answered ? hungAfterMs : startingMs);
			if (silentMs > longestMs) await this.#replace(holder.pid, silentMs);
			return undefined;
		}
	}

	/** It was repaired, or is to be tried again now. */
	forgive(): void {
		this.#deaths = 0;
		this.#patience = 1;
		this.#notBefore = 0;
	}

	async #startAgain(): Promise<void> {
		const now = this.#clock.now();
		if (now < this.#notBefore) return;
		this.#deaths += 1;
		this.#notBefore = now + Math.min(longestBackoffMs, 250 * 2 ** Math.max(0, this.#deaths - 2));
		this.#failure = new RouseError(
			'machine_failed',
			`the ${this.#mover.kind} mover ended ${this.#deaths} times in a row`,
		);
		try {
			await this.#mover.start();
		} catch (cause) {
			const message = cause instanceof Error ? cause.message : String(cause);
			this.#failure = new RouseError('machine_failed', `the ${this.#mover.kind} mover does not start: ${message}`, {
				cause,
			});
			return this.#incident('mover_failed', this.#failure.message);
		}
		// Afterwards, here and below: where no line can be written any more a guest is to have its mover all the same.
		await this.#incident('mover_died', `the ${this.#mover.kind} mover had died and was started again`);
	}

	async #replace(pid: number, silentMs: number): Promise<void> {
		this.#answeredAt = this.#clock.now(); // the next look gives the kill, or a successor, its time
		this.#patience = Math.min(mostPatience, 2 * this.#patience);
		if (!(await this.#mover.end())) {
			this.#deaths = worrying;
			this.#failure = new RouseError('hypervisor_stuck', `the ${this.#mover.kind} mover (pid ${pid}) cannot be killed`);
			return;
		}
		this.#notBefore = 0;
		await this.#mover.start();
		const seconds = Math.floor(silentMs / 1000);
		await this.#incident(
			'mover_hung',
			`the ${this.#mover.kind} mover gave no answer for ${seconds} s and was replaced`,
		);
	}
}
