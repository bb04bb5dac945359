import type { TemporalClient } from '../../../client/connection.ts';
import { Orders } from '../../../client/orders.ts';
import type { RecoverySummary } from '../../../client/summaries.ts';
import { RecoveryWorkflows } from '../../../client/workflows.ts';
import { asRouseError } from '../../../model/errors.ts';
import type { Phase } from '../../../model/recovery.ts';
import { type WaitOptions, waitFor } from '../../../system/wait.ts';
import type { Watch } from './watch.ts';

const asked = { reason: 'the test has it so' };

type Shows = (seen: RecoverySummary) => boolean;

/** Gives orders to one recovery, each until it was taken: while services die, orders and answers are lost. */
export class Operator {
	readonly name: string;
	readonly #workflows: RecoveryWorkflows;
	readonly #orders: Orders;
	readonly #watch: Watch;
	/** Of every wait. */
	readonly #patience: WaitOptions;

	constructor(name: string, temporal: TemporalClient, watch: Watch, patience: WaitOptions) {
		this.name = name;
		this.#workflows = new RecoveryWorkflows(temporal);
		this.#orders = new Orders(temporal);
		this.#watch = watch;
		this.#patience = patience;
	}

	/** Throws when it comes to another end. */
	reach(phase: Phase): Promise<void> {
		return this.#until(phase, seen => {
			if (seen.workflow !== 'RUNNING' && seen.phase !== phase)
				throw new Error(`${this.name} is ${seen.phase} (workflow ${seen.workflow}), and was to be ${phase}`);
			return seen.phase === phase;
		});
	}

	migrate(): Promise<void> {
		return this.#give(
			'migrate',
			() => this.#orders.migrate(this.name, asked),
			({ phase }) => !beforeMigrating.includes(phase),
		);
	}

	discard(): Promise<void> {
		return this.#give(
			'discard',
			() => this.#orders.discard(this.name, { ...asked, confirm: this.name }),
			({ phase }) => phase === 'discarding' || phase === 'discarded',
		);
	}

	power(action: 'on' | 'off'): Promise<void> {
		return this.#give(
			`power ${action}`,
			() => this.#orders.power(this.name, { ...asked, action }),
			({ status }) => status?.power === action,
		);
	}

	/** In Temporal's own way. */
	cancel(): Promise<void> {
		const workflows = this.#workflows;
		return this.#give(
			'cancel',
			() => workflows.call(this.name, () => workflows.handle(this.name).cancel()),
			({ status }) => status?.parked?.code === 'interrupted',
		);
	}

	retry(): Promise<void> {
		return this.#give(
			'retry',
			() => this.#orders.retry(this.name, asked),
			({ status }) => status?.parked === null,
		);
	}

	/** What was taken is not asked for again. */
	async #give(order: string, give: () => Promise<unknown>, shows: Shows): Promise<void> {
		const taken = async () => {
			try {
				await give();
				return true;
			} catch (error) {
				const { code, retry } = asRouseError(error);
				// Too late, because it was taken before and only its answer was lost.
				if (code === 'phase_wrong') return this.#sees(shows);
				if (retry !== 'transient') throw error;
				return false;
			}
		};
		await waitFor(`${order} to be taken by ${this.name}`, taken, this.#patience);
		await this.#until(`as after ${order}`, shows);
	}

	async #until(what: string, shows: Shows): Promise<void> {
		await waitFor(`${this.name} to be ${what}`, () => this.#sees(shows), this.#patience);
	}

	#sees(shows: Shows): boolean {
		const seen = this.#watch.seen(this.name);
		return seen !== undefined && shows(seen);
	}
}

const beforeMigrating: readonly Phase[] = ['planned', 'waiting', 'starting', 'running'];
