import { CancellationScope, DeterminismViolationError, log } from '@temporalio/workflow';
import type { ErrorDocument } from '../model/errors.ts';
import type { PowerAction } from '../model/recovery.ts';
import type { HostStepInput } from '../model/activity-inputs.ts';
import { documentOf, endOnHost, failureOf } from './failures.ts';
import { carryOn } from './parking.ts';
import type { Run } from './run.ts';
import type { PowerOrder } from './state.ts';
import type { HostStubs } from './stubs.ts';

/**
 * Orders that the host carries out while a person waits for the answer. One that is late is answered by `worker_missing`,
 * and is carried out as soon as the host can be asked; a later order for power, or a discard, takes it back. Orders for
 * power are numbered as they were given: the host refuses one that comes to it after a later one. The number is the time in
 * milliseconds, so that it is above that of an order that a history which was put back does not know.
 *
 * Nothing here is cancelled with the workflow: a cancellation parks it, and its machine is still to be told things.
 */
export class HostOrders {
	readonly #run: Run;
	#late: CancellationScope | undefined;

	constructor(run: Run) {
		this.#run = run;
	}

	/** With what an earlier run has accepted, and has not seen carried out. */
	goOn(): void {
		const { power, retry } = this.#run.state.orders;
		if (power) void this.#powerLate(power);
		if (retry) void this.#retryLate();
	}

	/** Returns when the host has carried it out. */
	async power(action: PowerAction): Promise<void> {
		const { orders } = this.#run.state;
		this.takeBack();
		orders.given = Math.max(orders.given + 1, Date.now());
		const order = { action, number: orders.given };
		orders.power = order;
		try {
			await CancellationScope.nonCancellable(() => this.#carryOut(order, this.#run.host.orderPower));
		} catch (error) {
			const document = documentOf(error);
			if (document.code !== 'timeout') throw failureOf(document);
			if (!this.#holds(order))
				throw failureOf({ code: 'generation_stale', message: `power ${action}: taken back by a later order` });
			void this.#powerLate(order);
			throw this.#notYet(document);
		}
	}

	/** Goes on with what the host has given up. */
	async retry(): Promise<void> {
		try {
			await CancellationScope.nonCancellable(() => this.#askToRetry(this.#run.host.orderRetry));
		} catch (error) {
			const document = documentOf(error);
			if (document.code !== 'timeout') throw failureOf(document);
			this.#run.state.orders.retry = true;
			void this.#retryLate();
			throw this.#notYet(document);
		}
	}

	/** What was ordered for power and is not carried out yet: only what comes now counts. */
	takeBack(): void {
		this.#run.state.orders.power = null;
		this.#late?.cancel();
		this.#late = undefined;
	}

	#holds({ number }: PowerOrder): boolean {
		return this.#run.state.orders.power?.number === number;
	}

	async #powerLate(order: PowerOrder): Promise<void> {
		try {
			await CancellationScope.nonCancellable(() => {
				const scope = new CancellationScope();
				this.#late = scope;
				return scope.run(() => this.#carryOut(order, this.#run.host.latePower));
			});
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			// Whoever gave it is gone. The history has it, and `audit` tells.
			log.warn('an order that was late was not carried out', { ...order, ...documentOf(error) });
		}
	}

	async #retryLate(): Promise<void> {
		const { state, host } = this.#run;
		try {
			await CancellationScope.nonCancellable(() => this.#askToRetry(host.retry));
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			log.warn('a retry that was late was not carried out', { ...documentOf(error) });
		}
		state.orders.retry = false;
	}

	/** Whatever becomes of it, but for a timeout, it is over afterwards. */
	async #carryOut(order: PowerOrder, ask: HostStubs['orderPower']): Promise<void> {
		const { state } = this.#run;
		try {
			const power = await this.#askForPower(order, ask);
			if (this.#holds(order)) state.power = power;
		} catch (error) {
			if (this.#holds(order) && documentOf(error).code !== 'timeout') state.orders.power = null;
			throw error;
		}
		if (this.#holds(order)) state.orders.power = null;
		this.#run.publish();
	}

	async #askForPower({ action, number: order }: PowerOrder, ask: HostStubs['orderPower']) {
		for (let input = this.#run.sameInput(); ; ) {
			try {
				return (await ask({ ...input, action, order })).power;
			} catch (error) {
				input = this.#againAfter(error, input);
			}
		}
	}

	/**
	 * What to ask with that neither fences what is under way nor is fenced by it: the generation of the host, also where
	 * this workflow is behind it. Throws what else went wrong.
	 */
	#againAfter(error: unknown, input: HostStepInput): HostStepInput {
		if (this.#run.wasOvertaken(error, input)) return this.#run.sameInput();
		const seen = this.#refusedBy(error).details?.['generation'];
		if (typeof seen !== 'number' || seen <= input.generation) throw error;
		return { ...input, generation: seen };
	}

	/**
	 * Under a generation of its own, to interrupt what hangs, and above the host's, whatever that is: a person says so. Once
	 * overtaken it joins what came, or they would chase each other.
	 */
	async #askToRetry(ask: HostStubs['orderRetry']): Promise<void> {
		for (let input = this.#run.nextInput(); ; ) {
			try {
				return await ask(input);
			} catch (error) {
				if (this.#run.wasOvertaken(error, input)) input = this.#run.sameInput();
				else if (this.#run.catchUp(this.#refusedBy(error))) input = this.#run.nextInput();
				else throw error;
			}
		}
	}

	/** The timeout of an activity would reach the person without a code of ours. */
	#notYet({ message }: ErrorDocument): Error {
		const { name: recovery } = this.#run.request;
		return failureOf({
			code: 'worker_missing',
			message: `accepted, not carried out yet: ${message}`,
			details: { recovery, missing: 'host' },
		});
	}

	/** What the host has said against an order; when it has ended the recovery, the workflow ends as well. */
	#refusedBy(error: unknown): ErrorDocument {
		const document = documentOf(error);
		const end = endOnHost(document);
		if (end) this.#run.endedOnHost(end);
		return document;
	}
}

/** Once the recovery is finished, its host does not take them any more. */
export async function ordersCarriedOut(run: Run): Promise<void> {
	if (run.state.orders.power === null) return;
	await carryOn(run, () => run.waitUntil(() => run.state.orders.power === null));
}
