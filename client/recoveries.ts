import { WorkflowExecutionAlreadyStartedError, type WorkflowHandle } from '@temporalio/client';
import type { Phase, RecoveryRequest, RecoveryStatus } from '../model/recovery.ts';
import { waitFor } from '../system/wait.ts';
import {
	type RecoveryInput,
	type RecoveryResult,
	recoveryNameOf,
	recoveryWorkflow,
	recoveryWorkflowId,
	searchAttributes,
	statusQuery,
	taskQueues,
	summaryOf,
} from '../workflows/contracts.ts';
import type { TemporalClient } from './connection.ts';
import { type HistoryEntry, readHistory } from './history.ts';
import { newestOf } from './named-workflows.ts';
import { hasReached, mayBeLeft } from './phases.ts';
import { hashRequest } from './requests.ts';
import { decideStart, type StartOutcome } from './start-decision.ts';
import { pendingOf, type RecoveryDetails, type RecoveryGlance, type RecoverySummary, summarise } from './summaries.ts';
import { RecoveryWorkflows } from './workflows.ts';

/** How long a client waits for a worker's answer before it takes what the memo says. */
const queryLimitMs = 2_000;

/** Recoveries as Temporal knows them: started, listed, looked at, waited for. What they can be told is in orders.ts. */
export class Recoveries {
	readonly #caller: string;
	readonly #workflows: RecoveryWorkflows;

	constructor(temporal: TemporalClient) {
		this.#caller = temporal.caller;
		this.#workflows = new RecoveryWorkflows(temporal);
	}

	/**
	 * Starts, or attaches to what already runs under this name: the same request twice is one recovery.
	 * `name_conflict` when the name is taken by another request, was discarded or its machine removed and `again` was
	 * not said, or was ended by force (its machine may still run). The name of a failed recovery is free. `isRemoved` is asked
	 * about what a finished recovery, or one that was ended by force, left on its host; without it, it counts as still there.
	 */
	async start(
		wanted: Omit<RecoveryRequest, 'requestedBy'>,
		{
			again = false,
			isRemoved = async () => false,
		}: { again?: boolean; isRemoved?: (finished: RecoverySummary) => Promise<boolean> } = {},
	): Promise<{ outcome: StartOutcome; name: string }> {
		const request = { ...wanted, requestedBy: this.#caller };
		const requestHash = hashRequest(request);
		const { name } = request;
		for (;;) {
			const existing = await this.#workflows.find(name);
			const removed = existing !== undefined && mayBeLeft(existing) && (await isRemoved(existing));
			const outcome = existing && decideStart(existing, requestHash, { again, removed });
			if (outcome) return { outcome, name };
			try {
				await this.#startWorkflow({ request, requestHash }, { phase: 'planned' });
				return { outcome: 'started', name };
			} catch (error) {
				// Somebody was faster: look again at what they started.
				if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
			}
		}
	}

	/** Starts a workflow that goes on where its host is. Temporal's "already started" comes through while one is open. */
	async goOn(
		request: RecoveryRequest,
		known: { recoveryId: string; phase: Phase },
		adopt: Omit<NonNullable<RecoveryInput['adopt']>, 'by'>,
	): Promise<void> {
		const by = this.#caller;
		await this.#startWorkflow({ request, requestHash: hashRequest(request), adopt: { ...adopt, by } }, known);
	}

	async #startWorkflow(input: RecoveryInput, known: { recoveryId?: string; phase: Phase }): Promise<void> {
		const { request, requestHash } = input;
		const { recoveryId, phase } = known;
		const anywhere = request.pool !== undefined;
		const { client } = this.#workflows;
		await this.#workflows.call(request.name, () =>
			client.workflow.start(recoveryWorkflow, {
				workflowId: recoveryWorkflowId(request.name),
				taskQueue: taskQueues.control,
				args: [{ ...input, broker: true }],
				memo: { request, requestHash, ...(recoveryId === undefined ? {} : { recoveryId }) },
				typedSearchAttributes: [
					{ key: searchAttributes.machine, value: request.machine },
					...(anywhere && !input.adopt ? [] : [{ key: searchAttributes.host, value: request.host }]),
					{ key: searchAttributes.phase, value: phase },
					{ key: searchAttributes.owner, value: request.requestedBy },
				],
				workflowIdConflictPolicy: 'FAIL',
				workflowIdReusePolicy: 'ALLOW_DUPLICATE',
				staticSummary: summaryOf(request),
			}),
		);
	}

	/** The newest recovery of every name, newest first. Visibility lags a moment behind `show`. */
	async list(): Promise<RecoverySummary[]> {
		const query = `WorkflowType = '${recoveryWorkflow}' AND ExecutionStatus != 'ContinuedAsNew'`;
		return await this.#workflows.call(undefined, () =>
			newestOf(this.#workflows.client.workflow.list({ query }), summarise, ({ requestedAt }) => requestedAt),
		);
	}

	/** Names of those that are not over and have their place on this host. Visibility lags a moment behind. */
	async openOn(host: string): Promise<string[]> {
		const query = `WorkflowType = '${recoveryWorkflow}' AND ExecutionStatus = 'Running' AND ${searchAttributes.host.name} = '${host}'`;
		return await this.#workflows.call(undefined, async () => {
			const names: string[] = [];
			for await (const { workflowId } of this.#workflows.client.workflow.list({ query }))
				names.push(recoveryNameOf(workflowId));
			return names.toSorted();
		});
	}

	/** Everything that is known now. Needs no worker; with one, the status is fresh. */
	async show(name: string): Promise<RecoveryDetails> {
		const handle = this.#workflows.handle(name);
		const description = await this.#workflows.call(name, () => handle.describe());
		const summary = summarise(description);
		const pending = pendingOf(description, this.#workflows.read);
		const fresh = summary.workflow === 'RUNNING' ? await this.#query(handle) : undefined;
		return {
			...summary,
			...pending,
			...(fresh ? { status: fresh, phase: fresh.phase, recoveryId: fresh.recoveryId } : {}),
			statusFrom: fresh ? 'worker' : 'memo',
			asOf: new Date().toISOString(),
		};
	}

	/** Like {@link peek}; undefined when Temporal knows none of this name. */
	find(name: string): Promise<RecoveryGlance | undefined> {
		return this.#workflows.find(name);
	}

	/** Like {@link show} without asking a worker: cheap enough to poll. */
	peek(name: string): Promise<RecoveryGlance> {
		return this.#workflows.peek(name);
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
			const result: RecoveryResult = await this.#workflows.handle(name).result();
			return result;
		} catch (error) {
			throw this.#workflows.translated(error, name);
		}
	}

	/** What happened, oldest first, over all runs of the newest recovery of this name. */
	history(name: string): Promise<HistoryEntry[]> {
		const { client, read } = this.#workflows;
		return this.#workflows.call(name, () => readHistory(client, recoveryWorkflowId(name), read));
	}

	async #query(handle: WorkflowHandle): Promise<RecoveryStatus | undefined> {
		try {
			return await this.#workflows.client.withDeadline(Date.now() + queryLimitMs, () => handle.query(statusQuery));
		} catch {
			// No worker, or one that is busy replaying: the memo says what was last known, and `statusFrom` says that it does.
			return undefined;
		}
	}
}
