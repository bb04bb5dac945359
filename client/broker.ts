import { randomUUID } from 'node:crypto';
import {
	isGrpcDeadlineError,
	WorkflowNotFoundError,
	WorkflowUpdateRPCTimeoutOrCancelledError,
	type WorkflowHandle,
} from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import { shortIdOf, workflowIdOf } from '../model/broker.ts';
import type { BrokerView } from '../model/broker-view.ts';
import { RouseError } from '../model/errors.ts';
import {
	brokerViewQuery,
	brokerWorkflowId,
	forceReleaseUpdate,
	forgetUpdate,
	prioritizeUpdate,
	setTotalUpdate,
} from '../workflows/broker-contracts.ts';
import { type Asked, recoveryWorkflowId, taskQueues } from '../workflows/contracts.ts';
import { importWorkflowId } from '../workflows/import-contracts.ts';
import { brokerTimeline } from './broker-timeline.ts';
import type { TemporalClient } from './connection.ts';
import { readHistory } from './history.ts';
import { untilTaken, wasNotReady } from './order-taken.ts';
import type { Why } from './orders.ts';
import type { AuditEntry } from './audit-entry.ts';
import type { ImportName } from './imports.ts';
import { RecoveryWorkflows } from './workflows.ts';

/** Whom alone it is about. */
export interface AboutHolder {
	recovery?: string;
	import?: ImportName;
}

/** A control worker that lives answers in milliseconds; one that has just come replays the broker's history first. */
const defaultLimitMs = 10_000;

/**
 * The broker of the site: what it knows, and orders to it, each recorded in its history with who gave it and why. Throws
 * `worker_missing` when no control worker answers for it; an order may still take effect then.
 */
export class Broker {
	readonly #workflows: RecoveryWorkflows;
	readonly #caller: string;
	readonly #limitMs: number;

	constructor(temporal: TemporalClient, { limitMs = defaultLimitMs }: { limitMs?: number } = {}) {
		this.#workflows = new RecoveryWorkflows(temporal);
		this.#caller = temporal.caller;
		this.#limitMs = limitMs;
	}

	/** With the first 100 that wait; of one recovery or import: with what it alone holds and waits for, wherever it stands. */
	view({ recovery, import: of, limitMs }: AboutHolder & { limitMs?: number } = {}): Promise<BrokerView> {
		if (of !== undefined) return this.#view({ workflowId: importWorkflowId(of.repositoryId, of.machine) }, limitMs);
		return this.#view(recovery === undefined ? {} : { workflowId: recoveryWorkflowId(recovery) }, limitMs);
	}

	/** What was ordered and granted since then, as far as Temporal remembers it. Needs no worker. */
	audit(sinceMs: number): Promise<AuditEntry[]> {
		return this.#answered('tells nothing', async () => {
			const { client, read } = this.#workflows;
			const history = await readHistory(client, brokerWorkflowId, read, { sinceMs });
			return brokerTimeline(history).filter(({ at }) => Date.parse(at) >= sinceMs);
		});
	}

	/**
	 * The request that is meant: its id as it is, or what `shortIdOf` makes of one that waits or holds something. Throws
	 * `recovery_unknown` for none, `name_conflict` for several.
	 */
	async requestId(meant: string): Promise<string> {
		const [name, step, ...more] = meant.split('/');
		if (name === undefined || step === undefined || more.length > 0) return meant;
		// Of an import its machine does not say in which repository.
		const ofImport = step.startsWith('import');
		const view = await this.view(ofImport ? {} : { recovery: name });
		return requestMeant(meant, view, ofImport && view.waitingCount > view.waiting.length);
	}

	/** Above what is reported; null takes it back. */
	setTotal(order: Why & { resource: string; total: number | null }): Promise<void> {
		return this.#give(setTotalUpdate, order);
	}

	/** Of a request that waits. What is left out stays. */
	async prioritize({
		requestId,
		priority,
		deadlineMs,
		...why
	}: Why & { requestId: string; priority?: number; deadlineMs?: number | null }): Promise<void> {
		const { waiting } = await this.#view({ workflowId: workflowIdOf(requestId) });
		const now = waiting.find(waits => waits.requestId === requestId);
		if (!now) throw new RouseError('phase_wrong', `${requestId} does not wait`);
		await this.#give(prioritizeUpdate, {
			...why,
			requestId,
			priority: priority ?? now.priority,
			deadlineMs: deadlineMs === undefined ? now.deadlineMs : deadlineMs,
		});
	}

	/** Takes a lease, or a place in the queue, away: what was started with it may still run. */
	forceRelease(order: { requestId: string; reason: string }): Promise<void> {
		return this.#give(forceReleaseUpdate, order);
	}

	/** A host or repository that is no longer one of the site's. */
	forget(order: Why & { reporter: string }): Promise<void> {
		return this.#give(forgetUpdate, order);
	}

	get #handle(): WorkflowHandle {
		return this.#workflows.client.workflow.getHandle(brokerWorkflowId);
	}

	#view(about: { workflowId?: string }, limitMs?: number): Promise<BrokerView> {
		return this.#answered('tells nothing', () => this.#handle.query(brokerViewQuery, about), limitMs);
	}

	#give<Order extends object>(update: UpdateDefinition<void, [Order & Asked]>, order: Order): Promise<void> {
		const deadline = Date.now() + this.#limitMs;
		const asked = { updateId: randomUUID(), args: [{ ...order, by: this.#caller }] satisfies [unknown] };
		// A run that continues as new loses an order that nobody had taken.
		const isLost = async (error: unknown) => wasNotReady(error) || error instanceof WorkflowNotFoundError;
		return this.#answered(`took no order "${update.name}"`, () =>
			untilTaken(() => this.#handle.executeUpdate(update, asked), { isLost, deadline }),
		);
	}

	async #answered<T>(otherwise: string, ask: () => Promise<T>, limitMs = this.#limitMs): Promise<T> {
		const { client } = this.#workflows;
		try {
			return await client.withDeadline(Date.now() + limitMs, ask);
		} catch (error) {
			const details = { taskQueue: taskQueues.control };
			if (error instanceof WorkflowNotFoundError)
				throw new RouseError('worker_missing', 'no broker runs: a control worker starts it', { details, cause: error });
			if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcDeadlineError(error) || wasNotReady(error))
				throw await this.#unanswered(otherwise, error);
			throw this.#workflows.translated(error);
		}
	}

	async #unanswered(otherwise: string, cause: unknown): Promise<RouseError> {
		// Throws temporal_unreachable by itself when it is the server that does not answer.
		const description = await this.#workflows.call(undefined, () => this.#handle.describe());
		const failedTasks = Math.max(0, (description.raw.pendingWorkflowTask?.attempt ?? 0) - 1);
		const why = failedTasks > 1 ? `: its task has failed ${failedTasks} times` : '';
		return new RouseError('worker_missing', `the broker ${otherwise} (task queue ${taskQueues.control})${why}`, {
			details: { taskQueue: taskQueues.control, ...(failedTasks > 1 ? { failedTasks } : {}) },
			cause,
		});
	}
}

/** @param isPart others wait, of whom the view does not tell */
export function requestMeant(
	meant: string,
	{ waiting, leases }: Pick<BrokerView, 'waiting' | 'leases'>,
	isPart: boolean,
): string {
	const found = [...waiting, ...leases].map(({ requestId }) => requestId).filter(id => shortIdOf(id) === meant);
	const [only] = found;
	if (only !== undefined && found.length === 1) return only;
	if (only !== undefined)
		throw new RouseError('name_conflict', `${meant} may be ${found.join(' or ')}`, { hint: 'say which' });
	if (!isPart) throw new RouseError('recovery_unknown', `${meant}: nobody waits for that lease, and nobody holds it`);
	throw new RouseError(
		'recovery_unknown',
		`${meant} holds nothing, and is not among the first ${waiting.length} that wait`,
		{
			hint: 'name it by its whole requestId, which the status of that recovery or backup tells in JSON',
		},
	);
}
