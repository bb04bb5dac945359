import type { Sandbox, SandboxRun } from '../sandbox.ts';
import { serverMs } from './fast-clock.ts';
import type { Random } from './random.ts';

/** The runs of one workflow, each the next of the one before; the last is the one that lives. */
export class WorkflowRuns {
	readonly #sandbox: Sandbox;
	readonly #past: SandboxRun[] = [];
	#now: SandboxRun;
	/** Activations come one after the other, and never after the end of a run. */
	#turn: Promise<unknown> = Promise.resolve();
	/** The first failure of what nobody waited for. */
	wrong: unknown;

	private constructor(sandbox: Sandbox, first: SandboxRun) {
		this.#sandbox = sandbox;
		this.#now = first;
	}

	static async begin(sandbox: Sandbox, input: unknown): Promise<WorkflowRuns> {
		return new WorkflowRuns(sandbox, await sandbox.start('recovery', [input]));
	}

	get now(): SandboxRun {
		return this.#now;
	}

	get ended(): boolean {
		return this.#now.closed === 'completed' || this.#now.closed === 'failed';
	}

	/** In its turn, unless the run has ended by then. */
	act<T>(act: (run: SandboxRun) => Promise<T>): Promise<T | undefined> {
		return this.#inTurn(async () => {
			const run = this.#now;
			if (run.closed !== undefined) return undefined;
			run.nowMs = Math.max(run.nowMs, serverMs());
			return act(run);
		});
	}

	async continueAsNew(): Promise<void> {
		this.#past.push(this.#now);
		this.#now = await this.#sandbox.goOn(this.#now);
	}

	/** The history ends after any of its events, also of a run that is over; what came later has never been. */
	cutBack(random: Random): Promise<string | undefined> {
		return this.#inTurn(async () => {
			const runs = [...this.#past, this.#now];
			const index = random.below(runs.length);
			const run = runs[index] ?? this.#now;
			const events = 1 + random.below(Math.max(run.activations.length - 1, 1));
			this.#past.length = index;
			this.#now = await this.#sandbox.cutBack(run, events);
			return `cut back to ${events} of ${run.activations.length} in run ${index + 1} of ${runs.length}`;
		});
	}

	#inTurn<T>(work: () => Promise<T>): Promise<T> {
		const done = this.#turn.then(work);
		this.#turn = done.catch((error: unknown) => {
			this.wrong ??= error;
		});
		return done;
	}

	dispose(): Promise<void> {
		return this.#now.dispose();
	}
}
