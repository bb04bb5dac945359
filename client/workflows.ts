import {
	type Client,
	isGrpcDeadlineError,
	isGrpcServiceError,
	NamespaceNotFoundError,
	ServiceError,
	WorkflowExecutionAlreadyStartedError,
	WorkflowFailedError,
	type WorkflowHandle,
	WorkflowNotFoundError,
	WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure, ChildWorkflowFailure } from '@temporalio/common';
import { errorDocumentSchema } from '../model/error-document.ts';
import { isErrorCode, RouseError } from '../model/errors.ts';
import { recoveryWorkflowId } from '../workflows/contracts.ts';
import { foreignServer, type TemporalClient, unreachable } from './connection.ts';
import type { TemporalTarget } from '../system/temporal-target.ts';
import { payloadReader, type ReadPayload } from './payloads.ts';
import { pendingOf, type RecoveryGlance, summarise } from './summaries.ts';

const callLimitMs = 10_000;

/** The workflows of recoveries: every call to Temporal has a limit, and what it throws is one of our codes. */
export class RecoveryWorkflows {
	readonly client: Client;
	readonly read: ReadPayload;
	readonly #temporal: TemporalClient;

	constructor(temporal: TemporalClient) {
		this.#temporal = temporal;
		this.client = temporal.client;
		this.read = payloadReader(temporal.codec);
	}

	handle(name: string): WorkflowHandle {
		return this.client.workflow.getHandle(recoveryWorkflowId(name));
	}

	/** Temporal's "already started" is the only error that comes through as it is. */
	async call<T>(name: string | undefined, call: () => Promise<T>): Promise<T> {
		try {
			return await this.client.withDeadline(Date.now() + callLimitMs, call);
		} catch (error) {
			throw this.translated(error, name);
		}
	}

	/** What Temporal itself knows, without asking a worker; `recovery_unknown` when there is none of that name. */
	async peek(name: string): Promise<RecoveryGlance> {
		const description = await this.call(name, () => this.handle(name).describe());
		return { ...summarise(description), pending: pendingOf(description, this.read).pending };
	}

	async find(name: string): Promise<RecoveryGlance | undefined> {
		try {
			return await this.peek(name);
		} catch (error) {
			if (error instanceof RouseError && error.code === 'recovery_unknown') return undefined;
			throw error;
		}
	}

	/** An error of Temporal's client as ours; `name`: of the recovery that the call was about. */
	translated(error: unknown, name?: string): unknown {
		if (error instanceof WorkflowNotFoundError && name !== undefined) return recoveryUnknown(name);
		if (error instanceof WorkflowUpdateFailedError || error instanceof WorkflowFailedError)
			return fromFailure(error.cause) ?? error;
		if (error instanceof RouseError || error instanceof WorkflowExecutionAlreadyStartedError) return error;
		if (error instanceof NamespaceNotFoundError) return foreignServer(this.#temporal.target, error);
		const refusal = refusalIn(error);
		if (refusal !== undefined) return refused(this.#temporal.target, refusal);
		// ServiceError: whatever else befell the call, which the SDK may tell without gRPC's own error below it.
		if (isGrpcServiceError(error) || isGrpcDeadlineError(error) || error instanceof ServiceError || causedByGrpc(error))
			return unreachable(this.#temporal.target, error);
		return error;
	}
}

export function recoveryUnknown(name: string): RouseError {
	return new RouseError('recovery_unknown', `there is no recovery ${name}`, { details: { recovery: name } });
}

function fromFailure(cause: unknown): RouseError | undefined {
	if (cause instanceof ChildWorkflowFailure) return fromFailure(cause.cause);
	if (!(cause instanceof ApplicationFailure) || !isErrorCode(cause.type)) return undefined;
	const { hint, details } = errorDocumentSchema.safeParse(cause.details?.[0]).data ?? {};
	return new RouseError(cause.type, cause.message, { hint, details, cause });
}

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
const permissionDenied = 7;

function refusalIn(error: unknown): Error | undefined {
	const said = error instanceof Error && isGrpcServiceError(error.cause) ? error.cause : error;
	if (!isGrpcServiceError(said)) return undefined;
	const code: number = said.code;
	return code === permissionDenied ? said : undefined;
}

/** The door for hosts lets their workers' calls through, and no person's. */
function refused({ address }: TemporalTarget, cause: Error): RouseError {
	return new RouseError('access_denied', `Temporal at ${address} refuses that to this machine: ${cause.message}`, {
		hint: 'where this machine is a host of another installation, give the command there; else see what `temporal` of config.yaml may do at its server',
		cause,
	});
}

function causedByGrpc(error: unknown): boolean {
	return error instanceof Error && isGrpcServiceError(error.cause);
}
