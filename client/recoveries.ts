/** The typed client of recoveries: what the command line, and whatever comes beside it, says to Temporal. */
import {
	type Client,
	isGrpcDeadlineError,
	isGrpcServiceError,
	NamespaceNotFoundError,
	WorkflowExecutionAlreadyStartedError,
	WorkflowFailedError,
	WorkflowNotFoundError,
	WorkflowUpdateFailedError,
	WorkflowUpdateRPCTimeoutOrCancelledError,
	type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure, type UpdateDefinition } from '@temporalio/common';
import { errorDocumentSchema, isErrorCode, RouseError } from '../model/errors.ts';
import type { Phase, Policy, PowerAction, RecoveryRequest, RecoveryStatus } from '../model/recovery.ts';
import { waitFor } from '../system/wait.ts';
import {
	type Asked,
	discardUpdate,
	migrateUpdate,
	powerUpdate,
	type RecoveryInput,
	type RecoveryResult,
	recoveryWorkflow,
	recoveryWorkflowId,
	retryUpdate,
	searchAttributes,
	setPolicyUpdate,
	statusQuery,
	switchUpdate,
	taskQueues,
} from '../workflows/contracts.ts';
import { foreignServer, type TemporalClient, unreachable } from './connection.ts';
import { type HistoryEntry, readHistory } from './recovery-history.ts';
import { decideStart, hashRequest, hasReached, type StartOutcome, tooLate } from './recovery-rules.ts';
import {
	pendingOf,
	type RecoveryDetails,
	type RecoveryGlance,
	type RecoverySummary,
	summarise,
} from './recovery-view.ts';

/** How long a client waits before it says which worker is missing. */
const queryLimitMs = 2_000;
/** Above the 20 s that the workflow gives a host to answer a `power` or a `retry`. */
const defaultUpdateLimitMs = 30_000;
const callLimitMs = 10_000;

export class Recoveries {
	readonly #temporal: TemporalClient;
	readonly #client: Client;
	readonly #updateLimitMs: number;

	constructor(temporal: TemporalClient, { updateLimitMs = defaultUpdateLimitMs }: { updateLimitMs?: number } = {}) {
		this.#temporal = temporal;
		this.#client = temporal.client;
		this.#updateLimitMs = updateLimitMs;
	}

	/**
	 * Starts, or attaches to what already runs under this name: the same request twice is one recovery.
	 * `name_conflict` when the name is taken by another request, was discarded and `again` was not said, or was ended by
	 * force (its machine may still run). The name of a failed recovery is free. `isRemoved` is asked, after `again`, about
	 * the machine of a finished recovery; without it, it counts as still there.
	 */
	async start(
		request: RecoveryRequest,
		{
			again = false,
			isRemoved = async () => false,
		}: { again?: boolean; isRemoved?: (finished: RecoverySummary) => Promise<boolean> } = {},
	): Promise<{ outcome: StartOutcome; name: string }> {
		const requestHash = hashRequest(request);
		const { name } = request;
		for (;;) {
			const existing = await this.#find(name);
			const removed = again && existing?.phase === 'finished' && (await isRemoved(existing));
			const outcome = existing && decideStart(existing, requestHash, { again, removed });
			if (outcome) return { outcome, name };
			try {
				await this.#startWorkflow(request, requestHash);
				return { outcome: 'started', name };
			} catch (error) {
				// Somebody was faster: look again at what they started.
				if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw this.#translate(error, name);
			}
		}
	}

	async #startWorkflow(request: RecoveryRequest, requestHash: string): Promise<void> {
		const input: RecoveryInput = { request, requestHash };
		await this.#call(() =>
			this.#client.workflow.start(recoveryWorkflow, {
				workflowId: recoveryWorkflowId(request.name),
				taskQueue: taskQueues.control,
				args: [input],
				memo: { request, requestHash },
				typedSearchAttributes: [
					{ key: searchAttributes.machine, value: request.machine },
					{ key: searchAttributes.host, value: request.host },
					{ key: searchAttributes.repository, value: request.repository },
					{ key: searchAttributes.phase, value: 'planned' },
					{ key: searchAttributes.owner, value: request.requestedBy },
				],
				workflowIdConflictPolicy: 'FAIL',
				workflowIdReusePolicy: 'ALLOW_DUPLICATE',
				staticSummary: `${request.machine}@${request.restorePoint} on ${request.host}`,
			}),
		);
	}

	/** The newest recovery of every name, newest first. Visibility lags a moment behind `show`. */
	async list(): Promise<RecoverySummary[]> {
		const newest = new Map<string, RecoverySummary>();
		const query = `WorkflowType = '${recoveryWorkflow}' AND ExecutionStatus != 'ContinuedAsNew'`;
		try {
			await this.#client.withDeadline(Date.now() + callLimitMs, async () => {
				for await (const info of this.#client.workflow.list({ query })) {
					const entry = summarise(info);
					const known = newest.get(entry.name);
					if (!known || known.requestedAt < entry.requestedAt) newest.set(entry.name, entry);
				}
			});
		} catch (error) {
			throw this.#translate(error);
		}
		return [...newest.values()].toSorted((a, b) => b.requestedAt.localeCompare(a.requestedAt));
	}

	/** Everything that is known now. Needs no worker; with one, the status is fresh. */
	async show(name: string): Promise<RecoveryDetails> {
		const handle = this.#handle(name);
		const description = await this.#named(name, () => handle.describe());
		const summary = summarise(description);
		const pending = pendingOf(description);
		const fresh = summary.workflow === 'RUNNING' ? await this.#query(handle) : undefined;
		return {
			...summary,
			...pending,
			...(fresh ? { status: fresh, phase: fresh.phase, recoveryId: fresh.recoveryId } : {}),
			statusFrom: fresh ? 'worker' : 'memo',
			asOf: new Date().toISOString(),
		};
	}

	/** Like {@link show} without asking a worker: cheap enough to poll. */
	async peek(name: string): Promise<RecoveryGlance> {
		const description = await this.#named(name, () => this.#handle(name).describe());
		return { ...summarise(description), pending: pendingOf(description).pending };
	}

	migrate(name: string, asked: Asked): Promise<RecoveryStatus> {
		return this.#update(name, migrateUpdate, asked);
	}

	switch(name: string, asked: Asked): Promise<RecoveryStatus> {
		return this.#update(name, switchUpdate, asked);
	}

	/** `confirm` must be the name. Returns once the workflow has taken the order; wait for `discarded` to see it done. */
	discard(name: string, asked: Asked & { confirm: string }): Promise<RecoveryStatus> {
		return this.#update(name, discardUpdate, asked);
	}

	setPolicy(name: string, asked: Asked & { policy: Partial<Policy> }): Promise<RecoveryStatus> {
		return this.#update(name, setPolicyUpdate, asked);
	}

	power(name: string, asked: Asked & { action: PowerAction }): Promise<RecoveryStatus> {
		return this.#update(name, powerUpdate, asked);
	}

	retry(name: string, asked: Asked): Promise<RecoveryStatus> {
		return this.#update(name, retryUpdate, asked);
	}

	/**
	 * Waits, by polling, until the recovery has reached `phase` or gone past it. Throws `parked` when it needs a person,
	 * its own code when it failed, `phase_wrong` when it was discarded or closed by force, `timeout` after `timeoutMs`.
	 */
	async waitFor(
		name: string,
		phase: Phase,
		options: {
			timeoutMs?: number;
			signal?: AbortSignal;
			onChange?: (now: RecoveryGlance) => void;
			throughParked?: boolean;
		} = {},
	): Promise<RecoverySummary> {
		const { timeoutMs = Number.POSITIVE_INFINITY, signal, onChange, throughParked = false } = options;
		return waitFor(
			`recovery ${name} to be ${phase}`,
			async () => {
				const now = await this.peek(name);
				onChange?.(now);
				return hasReached(now, phase, throughParked) && now;
			},
			{ timeoutMs, everyMs: 100, signal },
		);
	}

	/** Waits for the end. A failed recovery throws its own code. */
	async result(name: string): Promise<RecoveryResult> {
		try {
			const result: RecoveryResult = await this.#handle(name).result();
			return result;
		} catch (error) {
			throw this.#translate(error, name);
		}
	}

	/** The story, oldest first, over all runs of the newest recovery of this name. */
	async history(name: string): Promise<HistoryEntry[]> {
		return this.#named(name, () => readHistory(this.#client, recoveryWorkflowId(name)));
	}

	#handle(name: string): WorkflowHandle {
		return this.#client.workflow.getHandle(recoveryWorkflowId(name));
	}

	async #find(name: string): Promise<RecoverySummary | undefined> {
		try {
			return await this.peek(name);
		} catch (error) {
			if (error instanceof RouseError && error.code === 'recovery_unknown') return undefined;
			throw error;
		}
	}

	async #query(handle: WorkflowHandle): Promise<RecoveryStatus | undefined> {
		try {
			return await this.#client.withDeadline(Date.now() + queryLimitMs, () => handle.query(statusQuery));
		} catch {
			// No worker, or one that is busy replaying: the memo says what was last known, and `statusFrom` says that it does.
			return undefined;
		}
	}

	async #update<A extends Asked>(
		name: string,
		update: UpdateDefinition<RecoveryStatus, [A]>,
		asked: A,
	): Promise<RecoveryStatus> {
		try {
			return await this.#client.withDeadline(Date.now() + this.#updateLimitMs, () =>
				this.#handle(name).executeUpdate(update, { args: [asked] }),
			);
		} catch (error) {
			if (error instanceof WorkflowNotFoundError) throw await this.#whyNotFound(name, update.name);
			if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isGrpcDeadlineError(error))
				throw await this.#whyUnanswered(name, update.name, error);
			throw this.#translate(error, name);
		}
	}

	async #whyNotFound(name: string, wish: string): Promise<RouseError> {
		const found = await this.#find(name);
		return found ? tooLate(found, wish === setPolicyUpdate.name ? 'policy' : wish) : recoveryUnknown(name);
	}

	async #whyUnanswered(name: string, wish: string, cause: unknown): Promise<RouseError> {
		// Throws temporal_unreachable by itself when it is the server that does not answer.
		await this.peek(name);
		return new RouseError(
			'worker_missing',
			`no control worker took "${wish}" for recovery ${name} within ${this.#updateLimitMs / 1000} s (task queue ${taskQueues.control})`,
			{ hint: 'start it: rouse up. The order may still take effect when a control worker is back.', cause },
		);
	}

	async #named<T>(name: string, call: () => Promise<T>): Promise<T> {
		try {
			return await this.#call(call);
		} catch (error) {
			throw this.#translate(error, name);
		}
	}

	#call<T>(call: () => Promise<T>): Promise<T> {
		return this.#client.withDeadline(Date.now() + callLimitMs, call);
	}

	#translate(error: unknown, name?: string): unknown {
		if (error instanceof WorkflowNotFoundError && name !== undefined) return recoveryUnknown(name);
		if (error instanceof WorkflowUpdateFailedError || error instanceof WorkflowFailedError)
			return fromFailure(error.cause) ?? error;
		if (error instanceof RouseError || error instanceof WorkflowExecutionAlreadyStartedError) return error;
		if (error instanceof NamespaceNotFoundError) return foreignServer(this.#temporal.target, error);
		if (isGrpcServiceError(error) || isGrpcDeadlineError(error) || causedByGrpc(error))
			return unreachable(this.#temporal.target, error);
		return error;
	}
}

function fromFailure(cause: unknown): RouseError | undefined {
	if (!(cause instanceof ApplicationFailure) || !isErrorCode(cause.type)) return undefined;
	const { hint, details } = errorDocumentSchema.safeParse(cause.details?.[0]).data ?? {};
	return new RouseError(cause.type, cause.message, { hint, details, cause });
}

function causedByGrpc(error: unknown): boolean {
	return error instanceof Error && isGrpcServiceError(error.cause);
}

function recoveryUnknown(name: string): RouseError {
	return new RouseError('recovery_unknown', `there is no recovery ${name}`, { hint: 'rouse recover list' });
}
