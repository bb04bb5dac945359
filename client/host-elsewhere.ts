import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { TimeoutFailure } from '@temporalio/common';
import type * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import type { HardwareRequest } from '../model/hardware-request.ts';
import { type Hardware, hardwareSchema } from '../model/hardware.ts';
import type { HostQuestion } from '../model/host-question.ts';
import type { SupervisorClient } from '../supervisor/client.ts';
import { type HostView, hostViewSchema, type RecoveryView, recoveryViewSchema } from '../supervisor/protocol.ts';
import { askHostWorkflow, taskQueues } from '../workflows/contracts.ts';
import type { TemporalClient } from './connection.ts';
import { RecoveryWorkflows } from './workflows.ts';

/** What a client asks of a host, wherever that is. */
export type AskableHost = Pick<SupervisorClient, 'host' | 'hardware' | 'recovery'>;

/** Above the minute that a host has for its answer at most (`askOptions`). */
const workflowLimitMs = 70_000;
const callLimitMs = 75_000;

/**
 * A host of another machine, of which a client knows nothing but its id: it is asked by way of Temporal, and answers as its
 * supervisor does. Throws `worker_missing` when none of its workers takes the question, or no control worker.
 */
export class HostElsewhere implements AskableHost {
	readonly #workflows: RecoveryWorkflows;
	readonly #name: string;
	readonly #hostId: string;

	constructor(temporal: TemporalClient, { name, hostId }: { name: string; hostId: string }) {
		this.#workflows = new RecoveryWorkflows(temporal);
		this.#name = name;
		this.#hostId = hostId;
	}

	/** Throws `identity_conflict` when it calls itself otherwise than it is called here: by that name the repository knows it. */
	async host(options?: { signal?: AbortSignal | undefined }): Promise<HostView> {
		const view = await this.#ask({ about: 'host' }, hostViewSchema, options);
		if (view.hostId === this.#hostId && view.name === this.#name) return view;
		throw new RouseError(
			'identity_conflict',
			`the host that is ${this.#name} (${this.#hostId}) here says that it is ${view.name} (${view.hostId})`,
			{
				hint: 'its name is `host.name` of its config.yaml: let it be the same in `hosts` here, and in its certificate',
			},
		);
	}

	hardware(request: HardwareRequest, options?: { signal?: AbortSignal | undefined }): Promise<Hardware> {
		return this.#ask({ about: 'hardware', request }, hardwareSchema, options);
	}

	recovery(name: string, options?: { signal?: AbortSignal | undefined }): Promise<RecoveryView> {
		return this.#ask({ about: 'recovery', name }, recoveryViewSchema, options);
	}

	async #ask<T>(
		question: HostQuestion,
		schema: z.ZodType<T>,
		{ signal }: { signal?: AbortSignal | undefined } = {},
	): Promise<T> {
		const { client } = this.#workflows;
		const execute = () =>
			client.workflow.execute(askHostWorkflow, {
				workflowId: `ask-host/${this.#hostId}/${randomUUID()}`,
				taskQueue: taskQueues.control,
				args: [{ hostId: this.#hostId, question }],
				workflowExecutionTimeout: workflowLimitMs,
			});
		try {
			const answer: unknown = await client.withDeadline(Date.now() + callLimitMs, () =>
				signal ? client.withAbortSignal(signal, execute) : execute(),
			);
			return schema.parse(answer);
		} catch (error) {
			signal?.throwIfAborted();
			if (error instanceof WorkflowFailedError && error.cause instanceof TimeoutFailure) throw noControlWorker(error);
			const translated = this.#workflows.translated(error);
			throw translated instanceof RouseError && translated.code === 'worker_missing'
				? noHostWorker(this.#name, translated)
				: translated;
		}
	}
}

function noHostWorker(name: string, cause: RouseError): RouseError {
	return new RouseError('worker_missing', `host ${name} does not answer: ${cause.message}`, {
		hint: 'look whether that host runs, and reaches Temporal',
		cause,
	});
}

function noControlWorker(cause: unknown): RouseError {
	return new RouseError('worker_missing', `no control worker has taken a question within ${workflowLimitMs / 1000} s`, {
		cause,
	});
}
