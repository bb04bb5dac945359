import { RouseError } from '../../model/errors.ts';
import { untilAborted } from '../../repository/until-aborted.ts';
import type { LockHolder } from '../../system/process-lock.ts';
import type { MoverKind } from '../movers/movers.ts';

/** What a mover's process does while it lives. */
export interface Program {
	/** As by SIGKILL: what it was doing has stopped when this resolves, and nothing of it is recorded any more. */
	close(): Promise<void>;
}

/** As many as all simulated movers ever had: each stands for a process of its own. */
let pids = 0;

/** The life of one simulated mover, whoever looks after it: alive, dead, hung or unkillable. */
export class Life<P extends Program> {
	readonly #kind: MoverKind;
	#pid: number | undefined;
	#program: P | undefined;
	#hung = false;
	#ends = 0;
	#change = Promise.withResolvers<void>();
	/** Whether it can be killed. */
	killable = true;
	/** Why it ended by itself while it started. */
	failure: unknown;

	constructor(kind: MoverKind) {
		this.#kind = kind;
	}

	get holder(): LockHolder | undefined {
		return this.#pid === undefined ? undefined : { pid: this.#pid, startTicks: 'simulated' };
	}

	/** What lives, whether it answers or not. */
	get program(): P | undefined {
		return this.#program;
	}

	/**
	 * MAY find it alive, and has no effect when it is ended meanwhile. What `describe` throws is thrown; when what it
	 * returns throws, it has ended again by then, as a process does that cannot start.
	 */
	async start(describe: () => Promise<() => Promise<P>>): Promise<void> {
		if (this.#pid !== undefined) return;
		const ends = this.#ends;
		const open = await describe();
		if (this.#pid !== undefined || this.#ends !== ends) return;
		pids += 1;
		const pid = pids;
		this.#pid = pid;
		this.#hung = false;
		this.failure = undefined;
		try {
			const program = await open();
			if (this.#pid === pid) this.#program = program;
			else await program.close(); // it was killed meanwhile
		} catch (error) {
			this.failure = error;
			if (this.#pid === pid) this.#pid = undefined;
		}
		this.#changed();
	}

	/** False when it cannot be killed. */
	async end(): Promise<boolean> {
		if (this.#pid !== undefined && !this.killable) return false;
		await this.die();
		return true;
	}

	/** It ends, for whatever reason. */
	async die(): Promise<void> {
		const program = this.#program;
		this.#ends += 1;
		this.#pid = undefined;
		this.#program = undefined;
		this.#changed();
		await program?.close();
	}

	/** It answers nobody and does nothing, until {@link goOn} or its end. */
	hang(): void {
		this.#hung = true;
	}

	goOn(): void {
		this.#hung = false;
		this.#changed();
	}

	/** What it is asked over its control socket; `mover_unreachable` when there is no answer. */
	async ask<T>(question: (program: P) => T | Promise<T>): Promise<T> {
		if (this.#program === undefined || this.#hung) throw this.unreachable();
		return question(this.#program);
	}

	/** For whoever is connected to it: waits while it hangs, and throws `mover_unreachable` when it has ended. */
	async answering(signal: AbortSignal): Promise<P> {
		for (;;) {
			signal.throwIfAborted();
			if (this.#program === undefined) throw this.unreachable();
			if (!this.#hung) return this.#program;
			await untilAborted(this.#change.promise, signal);
		}
	}

	unreachable(): RouseError {
		return new RouseError('mover_unreachable', `the simulated ${this.#kind} mover does not answer`);
	}

	#changed(): void {
		const { resolve } = this.#change;
		this.#change = Promise.withResolvers();
		resolve();
	}
}
