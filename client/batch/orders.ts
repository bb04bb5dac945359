import { randomUUID } from 'node:crypto';
import {
	isGrpcDeadlineError,
	WorkflowNotFoundError,
	WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import { RouseError } from '../../model/errors.ts';
import { cancelBatchUpdate, discardBatchUpdate, retryBatchUpdate } from '../../workflows/batch-contracts.ts';
import { type Asked, taskQueues } from '../../workflows/contracts.ts';
import { untilTaken, wasNotReady } from '../order-taken.ts';
import { endedUnder, type Why } from '../orders.ts';
import type { BatchWorkflows } from './workflows.ts';

/** It may have a thousand recoveries to be told. */
const limitMs = 60_000;

/** Orders to a batch that is under way. What is undefined was told to none: it is over. */
export class BatchOrders {
	readonly #workflows: BatchWorkflows;
	readonly #caller: string;

	constructor(workflows: BatchWorkflows, caller: string) {
		this.#workflows = workflows;
		this.#caller = caller;
	}

	async cancel(name: string, why: Why): Promise<void> {
		const told = await this.#give(name, cancelBatchUpdate, why);
		if (told === undefined)
			throw new RouseError('phase_wrong', `batch ${name} is over: nothing of it is left to start`, {
				details: { batch: name },
			});
	}

	async retry(name: string, why: Why & { again: string[] }): Promise<number | undefined> {
		return (await this.#give(name, retryBatchUpdate, why))?.answer;
	}

	async discard(name: string, why: Why & { confirm: string; found: string[] }): Promise<number | undefined> {
		return (await this.#give(name, discardBatchUpdate, why))?.answer;
	}

	async #give<A, W extends Why>(
		name: string,
		update: UpdateDefinition<A, [W & Asked]>,
		why: W,
	): Promise<{ answer: A } | undefined> {
		const { status } = await this.#workflows.describe(name);
		if (status.name !== 'RUNNING') return undefined;
		const handle = this.#workflows.handle(name);
		const asked = { updateId: randomUUID(), args: [{ ...why, by: this.#caller }] satisfies [unknown] };
		const deadline = Date.now() + limitMs;
		const isLost = async (error: unknown) => wasNotReady(error);
		try {
			const answer = await this.#workflows.client.withDeadline(deadline, () =>
				untilTaken(() => handle.executeUpdate(update, asked), { isLost, deadline }),
			);
			return { answer };
		} catch (error) {
			if (error instanceof WorkflowNotFoundError || endedUnder(error)) return undefined;
			if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcDeadlineError(error) || wasNotReady(error))
				throw await this.#unanswered(name, update.name, error);
			throw this.#workflows.all.translated(error);
		}
	}

	async #unanswered(name: string, order: string, cause: unknown): Promise<RouseError> {
		// Throws temporal_unreachable by itself when it is the server that does not answer.
		await this.#workflows.find(name);
		return new RouseError(
			'worker_missing',
			`no control worker took "${order}" for batch ${name} within ${limitMs / 1000} s (task queue ${taskQueues.control})`,
			{ details: { batch: name, order }, cause },
		);
	}
}
