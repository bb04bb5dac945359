import { RouseError } from '../../model/errors.ts';
import type { MachineParts } from './parts.ts';
import type { RunState, Save } from './run-state.ts';

/** One running machine, from its power-on to its power-off, asked by a call that takes its time. */
export class Instance {
	readonly #parts: MachineParts;
	readonly #id: string;

	/** `run` as it was found. */
	constructor(parts: MachineParts, run: RunState) {
		this.#parts = parts;
		this.#id = run.instance;
	}

	/** Throws `hypervisor_failed` when it has ended, `hypervisor_stuck` when it does not answer. */
	look(): RunState {
		return this.#ours(this.#parts.running.read());
	}

	/** As {@link look}, and nobody changes anything, or writes to a disk, until `work` returns. */
	alone<T>(work: (run: RunState, save: Save) => T): T {
		return this.#parts.running.alone((run, save) => work(this.#ours(run), save));
	}

	#ours(run: RunState | undefined): RunState {
		if (run?.instance === this.#id) return answering(this.#parts, run);
		throw new RouseError('hypervisor_failed', `${this.#parts.definition.machineName} has ended`);
	}
}

/** Throws `hypervisor_stuck` for a machine that does not answer. */
export function answering<R extends RunState | undefined>({ definition }: MachineParts, run: R): R {
	if (!run?.frozen) return run;
	throw new RouseError('hypervisor_stuck', `${definition.machineName} does not answer`);
}

/** It stands still with reads in hand, on a platform that then answers nobody. */
export function isSilent({ settings, memory }: MachineParts, { guest }: RunState): boolean {
	if (!settings.manner.readsHoldCalls || memory.reads.size === 0) return false;
	return memory.resetting || guest !== 'running';
}
