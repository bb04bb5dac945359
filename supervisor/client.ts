import type { Duplex } from 'node:stream';
import * as z from 'zod';
import { type Adoption, adoptionSchema } from '../model/adoption.ts';
import type { CapacityReport } from '../model/broker.ts';
import { RouseError } from '../model/errors.ts';
import type { HardwareRequest } from '../model/hardware-request.ts';
import { type Hardware, hardwareSchema } from '../model/hardware.ts';
import type { Incident, Power, PowerAction } from '../model/recovery.ts';
import { places } from '../system/installation.ts';
import { openStream } from '../system/unix-stream.ts';
import { callJson } from '../system/unix-http.ts';
import {
	capacitySchema,
	type AgentRan,
	agentRanSchema,
	type agentRunSchema,
	type AgentView,
	agentViewSchema,
	type ConsoleKind,
	consoleUpgrade,
	type HostView,
	hostViewSchema,
	incidentListSchema,
	leasesGoneAnswerSchema,
	machinePowerAnswerSchema,
	type RecoveryView,
	recoveryListSchema,
	recoveryViewSchema,
	type ScreenshotView,
	screenshotSchema,
	type StepAnswer,
	type StepBody,
	type StepName,
	stepAnswers,
} from './protocol.ts';

export interface SupervisorCallOptions {
	signal?: AbortSignal | undefined;
	/** Limit for one call; a step that takes longer goes on at the supervisor and is found by repeating it. */
	timeoutMs?: number | undefined;
}

/** A step may allocate terabytes or wait for a machine; a question is answered at once. */
const stepTimeoutMs = 15 * 60_000;
const questionTimeoutMs = 5_000;
/** Each that is gone is written down; some thousand of them on a slow disk. */
const leasesTimeoutMs = 30_000;
/** Above what a platform may take to ask it. */
const agentTimeoutMs = 10_000;

/**
 * What may be asked of a host's supervisor. Every call throws what the supervisor answered with, by code, and
 * `supervisor_unreachable` when nobody answers; every step may be repeated.
 */
export class SupervisorClient {
	readonly #socketPath: string;

	constructor(socketPath: string) {
		this.#socketPath = socketPath;
	}

	static of(installation: { runDirectory: string }): SupervisorClient {
		return new SupervisorClient(places.supervisorSocket(installation.runDirectory));
	}

	/** One step of a recovery; returns when it is done and durable. */
	async step<S extends StepName>(
		name: string,
		step: S,
		body: StepBody<S>,
		{ signal, timeoutMs = stepTimeoutMs }: SupervisorCallOptions = {},
	): Promise<StepAnswer<S>> {
		const schema: z.ZodType<StepAnswer<S>> = answerSchema(step);
		return this.#call(schema, 'POST', ['recoveries', name, step], body, { signal, timeoutMs });
	}

	host(options?: SupervisorCallOptions): Promise<HostView> {
		return this.#call(hostViewSchema, 'GET', ['host'], undefined, options);
	}

	async recoveries(options?: SupervisorCallOptions): Promise<RecoveryView[]> {
		return (await this.#call(recoveryListSchema, 'GET', ['recoveries'], undefined, options)).recoveries;
	}

	/** What the host has for a broker to share out, as it is. */
	capacity(options?: SupervisorCallOptions): Promise<CapacityReport> {
		return this.#call(capacitySchema, 'GET', ['capacity'], undefined, options);
	}

	/** Of these, those of which nothing runs on the host, and nothing will from then on. */
	async leasesGone(requestIds: readonly string[], options: SupervisorCallOptions = {}): Promise<string[]> {
		const { signal, timeoutMs = leasesTimeoutMs } = options;
		const path = ['leases', 'gone'];
		return (await this.#call(leasesGoneAnswerSchema, 'POST', path, { requestIds }, { signal, timeoutMs })).gone;
	}

	/** What the host's platform would give a machine, and why. */
	hardware(request: HardwareRequest, options?: SupervisorCallOptions): Promise<Hardware> {
		return this.#call(hardwareSchema, 'POST', ['hardware'], request, options);
	}

	/** The machine's console as bytes in both directions; `phase_wrong` while it has none. */
	console(name: string, kind: ConsoleKind, signal?: AbortSignal): Promise<Duplex> {
		return openStream(this.#socketPath, `/consoles/${name}/${kind}`, {
			unreachable: 'supervisor_unreachable',
			protocol: consoleUpgrade,
			timeoutMs: questionTimeoutMs,
			signal,
		});
	}

	/** An unfinished recovery, or a finished machine; `recovery_unknown` when there is neither. */
	recovery(name: string, options?: SupervisorCallOptions): Promise<RecoveryView> {
		return this.#call(recoveryViewSchema, 'GET', ['recoveries', name], undefined, options);
	}

	/** What a workflow needs that takes an unfinished recovery up; `phase_wrong` for one that has ended. */
	adoption(name: string, options?: SupervisorCallOptions): Promise<Adoption> {
		return this.#call(adoptionSchema, 'GET', ['recoveries', name, 'adoption'], undefined, options);
	}

	/** Whether the agent in the machine's guest answers. */
	agent(name: string, options?: SupervisorCallOptions): Promise<AgentView> {
		return this.#call(agentViewSchema, 'GET', ['recoveries', name, 'agent'], undefined, {
			timeoutMs: agentTimeoutMs,
			...options,
		});
	}

	/** A program in the guest of a drill's machine. */
	agentRun(
		name: string,
		call: z.input<typeof agentRunSchema>,
		{ signal }: SupervisorCallOptions = {},
	): Promise<AgentRan> {
		const timeoutMs = call.timeoutMs + agentTimeoutMs;
		return this.#call(agentRanSchema, 'POST', ['recoveries', name, 'agent'], call, { signal, timeoutMs });
	}

	/** What the machine's screen shows. */
	screenshot(name: string, { signal }: SupervisorCallOptions = {}): Promise<ScreenshotView> {
		const path = ['recoveries', name, 'screenshot'];
		return this.#call(screenshotSchema, 'GET', path, undefined, { signal, timeoutMs: agentTimeoutMs });
	}

	/** Incidents whose sequence is above `after`. */
	async incidents(name: string, after = 0, options?: SupervisorCallOptions): Promise<Incident[]> {
		const path = ['recoveries', name, `incidents?after=${after}`];
		return (await this.#call(incidentListSchema, 'GET', path, undefined, options)).incidents;
	}

	/** Power of a machine: a finished one, or of a recovery that was powered on. */
	async machinePower(name: string, action: PowerAction, options: SupervisorCallOptions = {}): Promise<Power> {
		const { signal, timeoutMs = stepTimeoutMs } = options;
		const path = ['machines', name, 'power'];
		return (await this.#call(machinePowerAnswerSchema, 'POST', path, { action }, { signal, timeoutMs })).power;
	}

	/** Removes a finished machine with its disks. With a `recoveryId`, only the machine of that recovery. */
	async removeMachine(name: string, recoveryId?: string, options: SupervisorCallOptions = {}): Promise<void> {
		const { signal, timeoutMs = stepTimeoutMs } = options;
		const body = recoveryId === undefined ? {} : { recoveryId };
		await this.#call(z.object({}), 'DELETE', ['machines', name], body, { signal, timeoutMs });
	}

	async #call<T>(
		schema: z.ZodType<T>,
		method: string,
		path: readonly string[],
		body: unknown,
		{ signal, timeoutMs = questionTimeoutMs }: SupervisorCallOptions = {},
	): Promise<T> {
		const answer = await callJson(this.#socketPath, method, `/${path.join('/')}`, body, {
			unreachable: 'supervisor_unreachable',
			timeoutMs,
			signal,
		});
		const parsed = schema.safeParse(answer);
		if (parsed.success) return parsed.data;
		// As it must be during an upgrade: what is asked for again is answered by the same version on both sides.
		throw new RouseError('protocol', `${method} /${path.join('/')}: the supervisor is of another version of Rouse`, {
			cause: parsed.error,
			hint: 'restart the services, so that all are of one version',
		});
	}
}

function answerSchema<S extends StepName>(step: S): z.ZodType<StepAnswer<S>> {
	// TypeScript does not follow an indexed type through a lookup: the table is what defines StepAnswer.
	return stepAnswers[step] as unknown as z.ZodType<StepAnswer<S>>;
}
