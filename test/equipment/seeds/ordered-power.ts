import assert from 'node:assert/strict';
import type { RunState } from '../../../hypervisors/simulated/run-state.ts';
import type { PowerAction } from '../../../model/recovery.ts';
import type { UpdateOutcome } from '../sandbox-updates.ts';

/** What power a recovery's machine must have at the end: as the last order left it that was not refused. */
export class OrderedPower {
	readonly #orders: { action: PowerAction; outcome: () => UpdateOutcome }[] = [];
	/** Before the orders that count; undefined when nobody can tell. */
	#found: 'on' | 'off' | undefined = 'on';

	given(action: PowerAction, outcome: () => UpdateOutcome): void {
		this.#orders.push({ action, outcome });
	}

	/** Something else has changed it. */
	forget(): void {
		this.#orders.length = 0;
		this.#found = undefined;
	}

	/** Throws when it is another one, or the guest stands still. */
	check(run: RunState | undefined): void {
		const wanted = this.#wanted();
		if (wanted !== undefined) assert.equal(run?.guest ?? 'off', wanted === 'on' ? 'running' : 'off', this.#text());
	}

	#wanted(): 'on' | 'off' | undefined {
		// The guests of the seeds do not listen to `shutdown`.
		const last = this.#orders.findLast(
			({ action, outcome }) => action !== 'shutdown' && outcome().result !== undefined,
		);
		if (last === undefined) return this.#found;
		return last.action === 'off' ? 'off' : 'on';
	}

	#text(): string {
		const orders = this.#orders.map(({ action, outcome }) => `${action} (${outcome().failure?.message ?? 'done'})`);
		return `the power at the end, after ${orders.join(', ') || 'no order'}`;
	}
}
