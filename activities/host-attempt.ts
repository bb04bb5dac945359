import type { Duplex } from 'node:stream';
import type * as z from 'zod';
import type { HostStepInput } from '../model/activity-inputs.ts';
import type { CapacityReport } from '../model/broker.ts';
import { RouseError } from '../model/errors.ts';
import type { HardwareRequest } from '../model/hardware-request.ts';
import type { Hardware } from '../model/hardware.ts';
import type { Incident } from '../model/recovery.ts';
import type {
	AgentRan,
	agentRunSchema,
	AgentView,
	ConsoleKind,
	HostView,
	RecoveryView,
	ScreenshotView,
	StepAnswer,
	StepBody,
	StepCall,
	StepName,
} from '../supervisor/protocol.ts';
import { type Attempt, attempt } from './attempt.ts';

/** What the activities of a host ask of its supervisor: SupervisorClient, or a double of it in tests. */
export interface Supervisor {
	step<S extends StepName>(
		name: string,
		step: S,
		body: StepBody<S>,
		options?: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
	): Promise<StepAnswer<S>>;
	hardware(
		request: HardwareRequest,
		options?: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
	): Promise<Hardware>;
	host(options?: { signal?: AbortSignal | undefined }): Promise<HostView>;
	recovery(name: string, options?: { signal?: AbortSignal | undefined }): Promise<RecoveryView>;
	recoveries(options?: { signal?: AbortSignal | undefined }): Promise<RecoveryView[]>;
	capacity(options?: { signal?: AbortSignal | undefined }): Promise<CapacityReport>;
	leasesGone(requestIds: readonly string[], options?: { signal?: AbortSignal | undefined }): Promise<string[]>;
	/** Of a drill's machine alone. */
	agentRun(
		name: string,
		call: z.input<typeof agentRunSchema>,
		options?: { signal?: AbortSignal | undefined },
	): Promise<AgentRan>;
	screenshot(name: string, options?: { signal?: AbortSignal | undefined }): Promise<ScreenshotView>;
	console(name: string, kind: ConsoleKind, signal?: AbortSignal): Promise<Duplex>;
	agent(name: string, options?: { signal?: AbortSignal | undefined }): Promise<AgentView>;
	incidents(name: string, after?: number, options?: { signal?: AbortSignal | undefined }): Promise<Incident[]>;
}

export interface HostDependencies {
	hostId: string;
	supervisor: Supervisor;
	/** How many recoveries may be unfinished at once on this host. */
	recoveries: number;
	/** Tells the broker what the host has, as it is now: done when it has the message, or when there is none. */
	reportCapacity: (signal: AbortSignal) => Promise<void>;
	/** Directory of the programs that say whether a machine is ready. */
	checks: string;
}

/**
 * An attempt of something on this host. A queue is named by its host's id, but queues are only names: the id is compared here
 * too, since nothing is worse than a step done on another host's disks.
 */
export function hostAttempt<I extends HostStepInput, T>(
	host: HostDependencies,
	work: (input: I, call: StepCall, attempt: Attempt) => Promise<T>,
): (input: I) => Promise<T> {
	return questionAttempt(host, (input, now) =>
		work(input, { recoveryId: input.recoveryId, generation: input.generation }, now),
	);
}

/** The same of what is of no recovery, and changes nothing. */
export function questionAttempt<I extends { hostId: string }, T>(
	{ hostId }: HostDependencies,
	work: (input: I, attempt: Attempt) => Promise<T>,
): (input: I) => Promise<T> {
	return input =>
		attempt(async now => {
			if (input.hostId !== hostId)
				throw new RouseError('identity_conflict', `what is for host ${input.hostId} came to host ${hostId}`);
			return work(input, now);
		});
}
