import { randomUUID } from 'node:crypto';
import {
	isGrpcDeadlineError,
	WorkflowNotFoundError,
	WorkflowUpdateFailedError,
	WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure, type UpdateDefinition } from '@temporalio/common';
import { RouseError } from '../model/errors.ts';
import type { Policy, PowerAction, RecoveryStatus } from '../model/recovery.ts';
import {
	type Asked,
	abandonUpdate,
	discardUpdate,
	migrateUpdate,
	powerUpdate,
	retryUpdate,
	setPolicyUpdate,
	switchUpdate,
	taskQueues,
} from '../workflows/contracts.ts';
import type { TemporalClient } from './connection.ts';
import { isMeant, untilTaken, wasNotReady } from './order-taken.ts';
import { endedByForce } from './phases.ts';
import type { RecoverySummary } from './summaries.ts';
import { RecoveryWorkflows, recoveryUnknown } from './workflows.ts';

/** Above the 20 s that the workflow gives a host to answer a `power` or a `retry`. */
const defaultLimitMs = 30_000;

/** What a person adds to an order; who they are, the connection knows. */
export type Why = Omit<Asked, 'by'>;

/**
 * Orders to a recovery that runs, each recorded with who gave it and why. An order that is refused throws `phase_wrong`;
 * one that no worker took in time `worker_missing`, and it may still take effect when one is back.
 */
export class Orders {
	readonly #workflows: RecoveryWorkflows;
	readonly #limitMs: number;
	readonly #caller: string;

	constructor(temporal: TemporalClient, { limitMs = defaultLimitMs }: { limitMs?: number } = {}) {
		this.#workflows = new RecoveryWorkflows(temporal);
		this.#limitMs = limitMs;
		this.#caller = temporal.caller;
	}

	/** Copies the disks to the host. */
	migrate(name: string, why: Why): Promise<RecoveryStatus> {
		return this.#give(name, migrateUpdate, why);
	}

	/** Lets the machine stand on its local disks alone, once all is local. */
	switch(name: string, why: Why): Promise<RecoveryStatus> {
		return this.#give(name, switchUpdate, why);
	}

	/** `confirm` must be the name. Returns once the workflow has taken the order; wait for `discarded` to see it done. */
	discard(name: string, why: Why & { confirm: string }): Promise<RecoveryStatus> {
		return this.#give(name, discardUpdate, why);
	}

	/**
	 * Gives up a host that is gone for good: what it has stays there, the workflow ends `abandoned`. `phase_wrong` while the
	 * host's worker answers. Returns once the workflow has taken the order.
	 */
	abandon(name: string, why: Why & { confirm: string }): Promise<RecoveryStatus> {
		return this.#give(name, abandonUpdate, why);
	}

	setPolicy(name: string, why: Why & { policy: Partial<Policy> }): Promise<RecoveryStatus> {
		return this.#give(name, setPolicyUpdate, why);
	}

	/** Returns when the host has carried it out. */
	power(name: string, why: Why & { action: PowerAction }): Promise<RecoveryStatus> {
		return this.#give(name, powerUpdate, why);
	}

	/** Goes on with a recovery that is parked. */
	retry(name: string, why: Why): Promise<RecoveryStatus> {
		return this.#give(name, retryUpdate, why);
	}

	async #give<W extends Why>(
		name: string,
		update: UpdateDefinition<RecoveryStatus, [W & Asked]>,
		why: W,
	): Promise<RecoveryStatus> {
		const workflows = this.#workflows;
		const handle = workflows.handle(name);
		const asked = { updateId: randomUUID(), args: [{ ...why, by: this.#caller }] satisfies [unknown] };
		const givenAtMs = Date.now();
		const deadline = givenAtMs + this.#limitMs;
		const isLost = (error: unknown) => this.#isLost(name, error, givenAtMs);
		try {
			return await workflows.client.withDeadline(deadline, () =>
				untilTaken(() => handle.executeUpdate(update, asked), { isLost, deadline }),
			);
		} catch (error) {
			const order = update.name === setPolicyUpdate.name ? 'policy' : update.name;
			if (error instanceof WorkflowNotFoundError || endedUnder(error))
				throw await this.#whyNotFound(name, order, error);
			if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcDeadlineError(error) || wasNotReady(error))
				throw await this.#whyUnanswered(name, order, error);
			throw workflows.translated(error, name);
		}
	}

	/** Temporal keeps an order in memory until a worker has taken it, and loses it with a run that ends or a server that dies. */
	async #isLost(name: string, error: unknown, givenAtMs: number): Promise<boolean> {
		if (!(error instanceof WorkflowNotFoundError)) return wasNotReady(error);
		const found = await this.#workflows.find(name);
		return found !== undefined && isMeant(found, givenAtMs);
	}

	async #whyNotFound(name: string, order: string, cause: unknown): Promise<RouseError> {
		const found = await this.#workflows.find(name);
		if (found?.workflow === 'RUNNING')
			return new RouseError('worker_missing', `recovery ${name}: "${order}" was lost before a worker took it`, {
				hint: 'order it again',
				details: { recovery: name, order },
				cause,
			});
		return found ? tooLate(found, order) : recoveryUnknown(name);
	}

	async #whyUnanswered(name: string, order: string, cause: unknown): Promise<RouseError> {
		// Throws temporal_unreachable by itself when it is the server that does not answer.
		await this.#workflows.peek(name);
		return new RouseError(
			'worker_missing',
			`no control worker took "${order}" for recovery ${name} within ${this.#limitMs / 1000} s (task queue ${taskQueues.control})`,
			{ details: { recovery: name, order }, cause },
		);
	}
}

/** The workflow took the order and ended before it had answered (Temporal: service/history/workflow/update/abort_reason.go). */
export function endedUnder(error: unknown): boolean {
	if (!(error instanceof WorkflowUpdateFailedError)) return false;
	return error.cause instanceof ApplicationFailure && error.cause.type === 'AcceptedUpdateCompletedWorkflow';
}

/** Why no workflow takes the order any more; how the recovery stands is in the details. */
export function tooLate({ name, phase, workflow }: RecoverySummary, order: string): RouseError {
	const message = endedByForce(workflow)
		? `recovery ${name} was ended by force in Temporal (${workflow.toLowerCase()}): no ${order} reaches it; its machine may still run`
		: `recovery ${name} is ${phase}: it is too late for ${order}`;
	return new RouseError('phase_wrong', message, { details: { recovery: name, phase, workflow, order } });
}
