import type { coresdk } from '@temporalio/proto';
import { fromPayload, type Payload } from './payloads.ts';

/** A signal to another workflow. */
export interface Sent {
	seq: number;
	workflowId: string;
	signal: string;
	message: unknown;
}

/** A workflow that the run has started, or wants to. */
export interface StartedChild {
	seq: number;
	workflowId: string;
	type: string;
	input: unknown;
	memo: Record<string, unknown>;
	attributes: Record<string, unknown>;
	/** ParentClosePolicy of temporal/api/enums/v1/workflow.proto. */
	onClose: number;
}

/** What a run in the sandbox has begun outside of itself, activities apart: messages to other workflows, children, and timers. */
export class SandboxOutside {
	/** Those of which it is not known yet whether they arrived, oldest first. */
	sent: Sent[] = [];
	/** All of them, oldest first. */
	readonly children: StartedChild[] = [];
	/** Those that run, by the time at which they are over. */
	readonly timers = new Map<number, number>();

	take(command: coresdk.workflow_commands.IWorkflowCommand, nowMs: number): void {
		const { signalExternalWorkflowExecution: sent, startTimer, cancelTimer } = command;
		if (command.startChildWorkflowExecution) this.children.push(childIn(command.startChildWorkflowExecution));
		if (sent) {
			this.sent.push({
				seq: sent.seq ?? 0,
				workflowId: sent.workflowExecution?.workflowId ?? '',
				signal: sent.signalName ?? '',
				message: fromPayload(sent.args?.[0] ?? {}),
			});
		}
		if (startTimer) {
			const { seconds, nanos } = startTimer.startToFireTimeout ?? {};
			this.timers.set(startTimer.seq ?? 0, nowMs + Number(seconds ?? 0) * 1_000 + (nanos ?? 0) / 1e6);
		}
		if (cancelTimer) this.timers.delete(cancelTimer.seq ?? 0);
	}

	/** What the run is told of it, also when it lives through that again. */
	hear(jobs: readonly coresdk.workflow_activation.IWorkflowActivationJob[]): void {
		for (const { resolveSignalExternalWorkflow: arrived, fireTimer } of jobs) {
			if (arrived) this.sent = this.sent.filter(({ seq }) => seq !== arrived.seq);
			if (fireTimer) this.timers.delete(fireTimer.seq ?? 0);
		}
	}

	arrive(seq: number, arrived: boolean): coresdk.workflow_activation.IResolveSignalExternalWorkflow {
		const failure = { message: 'not found', applicationFailureInfo: { type: 'ExternalWorkflowExecutionNotFound' } };
		return { seq, ...(arrived ? {} : { failure }) };
	}

	/** It runs, or one of this name was there. */
	begun(
		{ seq, workflowId, type: workflowType }: StartedChild,
		isNew: boolean,
	): coresdk.workflow_activation.IResolveChildWorkflowExecutionStart {
		// START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS: child_workflow.proto of the SDK's core.
		return isNew
			? { seq, succeeded: { runId: `child-${seq}` } }
			: { seq, failed: { workflowId, workflowType, cause: 1 } };
	}

	/** Timers that fire, since their time has come. */
	over(nowMs: number): number[] {
		return [...this.timers].filter(([, atMs]) => atMs <= nowMs).map(([seq]) => seq);
	}
}

function childIn(command: coresdk.workflow_commands.IStartChildWorkflowExecution): StartedChild {
	const { seq, workflowId, workflowType, input, memo, searchAttributes, parentClosePolicy } = command;
	const indexed = searchAttributes && 'indexedFields' in searchAttributes ? searchAttributes.indexedFields : {};
	return {
		seq: seq ?? 0,
		workflowId: workflowId ?? '',
		type: workflowType ?? '',
		input: fromPayload(input?.[0] ?? {}),
		memo: fieldsIn(memo),
		attributes: fieldsIn(indexed),
		onClose: Number(parentClosePolicy),
	};
}

function fieldsIn(fields: Record<string, Payload> | null | undefined): Record<string, unknown> {
	return Object.fromEntries(Object.entries(fields ?? {}).map(([key, payload]) => [key, fromPayload(payload)]));
}
