import type { coresdk } from '@temporalio/proto';
import { fromPayload } from './payloads.ts';

/** A signal to another workflow. */
export interface Sent {
	seq: number;
	workflowId: string;
	signal: string;
	message: unknown;
}

/** What a run in the sandbox has begun outside of itself, activities apart: signals to other workflows, and timers. */
export class SandboxOutside {
	/** Those of which it is not known yet whether they arrived, oldest first. */
	sent: Sent[] = [];
	/** Those that run, by the time at which they are over. */
	readonly timers = new Map<number, number>();

	take(command: coresdk.workflow_commands.IWorkflowCommand, nowMs: number): void {
		const { signalExternalWorkflowExecution: sent, startTimer, cancelTimer } = command;
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

	arrive(seq: number, arrived: boolean): coresdk.workflow_activation.IResolveSignalExternalWorkflow {
		this.sent = this.sent.filter(each => each.seq !== seq);
		const failure = { message: 'not found', applicationFailureInfo: { type: 'ExternalWorkflowExecutionNotFound' } };
		return { seq, ...(arrived ? {} : { failure }) };
	}

	/** Timers that fire, since their time has come. */
	over(nowMs: number): number[] {
		const over = [...this.timers].filter(([, atMs]) => atMs <= nowMs).map(([seq]) => seq);
		for (const seq of over) this.timers.delete(seq);
		return over;
	}
}
