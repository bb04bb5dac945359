/**
 * Drives one run of a workflow inside the SDK's own sandbox by hand-made activations: no server, no native core, and a
 * clock that moves when it is told to. Stands on internal modules of the SDK (1.24, as its own test suite does).
 */
import { msToTs, optionalTsToMs } from '@temporalio/common/lib/time.js';
import proto, { type coresdk } from '@temporalio/proto';
import { ReusableVMWorkflowCreator } from '@temporalio/worker/lib/workflow/reusable-vm.js';
import { parseWorkflowCode } from '@temporalio/worker/lib/worker.js';
import Long from 'long';
import { activityFailure, type FailureDocument, fromPayload, type Payload, toPayload, toPayloads } from './payloads.ts';
import { SandboxOutside, type Sent } from './sandbox-outside.ts';
import { SandboxUpdates, type UpdateOutcome } from './sandbox-updates.ts';
import { firstInfo } from './workflow-info.ts';
import { workflowBundle } from '../../workers/bundle.ts';
import { cacheDirectory } from '../../system/installation.ts';

const { WorkflowActivation } = proto.coresdk.workflow_activation; // CommonJS without named exports under Node's loader

type Job = coresdk.workflow_activation.IWorkflowActivationJob;
type Command = coresdk.workflow_commands.IWorkflowCommand;
type WorkflowActivation = coresdk.workflow_activation.WorkflowActivation;
type SdkWorkflow = Awaited<ReturnType<ReusableVMWorkflowCreator['createWorkflow']>>;

/** ActivityCancellationType of the SDK's core protocol (workflow_commands.proto). */
const waitCancellationCompleted = 1;

/** TimeoutType of temporal/api/enums/v1/workflow.proto. */
const scheduleToClose = 3;

const startedAtMs = Date.parse('2026-11-20T03:00:00.000Z');

export class Sandbox {
	readonly #creator: ReusableVMWorkflowCreator;
	readonly #runs: SandboxRun[] = [];
	#count = 0;

	private constructor(creator: ReusableVMWorkflowCreator) {
		this.#creator = creator;
	}

	/** With the bundle of this checkout's workflows. */
	static async create(): Promise<Sandbox> {
		const { code } = await workflowBundle(cacheDirectory());
		return new Sandbox(await ReusableVMWorkflowCreator.create(parseWorkflowCode(code), 5_000, new Set()));
	}

	async start(type: string, args: readonly unknown[], workflowId = 'recovery/web01-r1'): Promise<SandboxRun> {
		const number = this.#count + 1;
		const run = await this.#create({ type, workflowId, number, firstRunId: `run-${number}` });
		await run.begin(args);
		return run;
	}

	/** The run after one that continued as new. */
	async goOn({ origin, nextArguments = [] }: SandboxRun): Promise<SandboxRun> {
		const run = await this.#create({ ...origin, number: this.#count + 1 });
		await run.begin(nextArguments);
		return run;
	}

	/** A run that has lived through the first `events` activations of another one, and nothing since. */
	async cutBack(run: SandboxRun, events: number): Promise<SandboxRun> {
		const again = await this.#create(run.origin);
		await again.relive(run, events);
		return again;
	}

	async #create(origin: Origin): Promise<SandboxRun> {
		this.#count += 1;
		const run = await SandboxRun.create(this.#creator, origin, `run-${this.#count}`);
		this.#runs.push(run);
		return run;
	}

	async destroy(): Promise<void> {
		for (const run of this.#runs) await run.dispose();
		await this.#creator.destroy();
	}
}

/** An activity that the workflow has scheduled. */
export interface Scheduled {
	seq: number;
	type: string;
	taskQueue: string;
	input: Record<string, unknown>;
	/** So many attempts it has; 0 is no limit. */
	attempts: number;
	/** How long it may wait for a worker, and last with all its attempts; 0 is for ever. */
	scheduleToStartMs: number;
	scheduleToCloseMs: number;
	/** Its cancellation waits for the attempt to end (WAIT_CANCELLATION_COMPLETED). */
	waits: boolean;
}

/** Of what a run is made; what is random in it hangs on the number. */
interface Origin {
	type: string;
	workflowId: string;
	number: number;
	/** Of its chain of runs; a history that is put back keeps it. */
	firstRunId: string;
}

export class SandboxRun {
	readonly runId: string;
	readonly origin: Origin;
	/** All that it was told so far. */
	readonly activations: WorkflowActivation[] = [];
	nowMs = startedAtMs;
	/** What the server would say once the history is long. */
	suggestContinueAsNew = false;
	/** Of the workflow code of its worker. */
	buildId = 'one';
	/** All activities scheduled so far, oldest first, whatever became of them. */
	readonly scheduled: Scheduled[] = [];
	readonly cancelled = new Set<number>();
	readonly outside = new SandboxOutside();
	closed: 'completed' | 'failed' | 'continued' | undefined;
	result: unknown;
	nextArguments: unknown[] | undefined;
	failureCode: string | undefined;
	attributes: Record<string, unknown> = {};
	memo: Record<string, unknown> = {};
	/** What the workflow code logged: level, message, fields. */
	readonly logged: [level: string, message: string, fields: Record<string, unknown>][] = [];
	readonly #workflow: SdkWorkflow;
	readonly #open = new Map<number, Scheduled>();
	readonly #updates = new SandboxUpdates();
	/** Events, as the server would count them: two for a task, and what it brings. */
	historyLength = 3;
	#disposed = false;
	#updateCount = 0;

	private constructor(workflow: SdkWorkflow, origin: Origin, runId: string) {
		this.#workflow = workflow;
		this.origin = origin;
		this.runId = runId;
	}

	static async create(creator: ReusableVMWorkflowCreator, origin: Origin, runId: string): Promise<SandboxRun> {
		const { number } = origin;
		const workflow = await creator.createWorkflow({
			info: firstInfo(origin, runId, startedAtMs),
			randomnessSeed: Long.fromInt(1336 + number).toBytes(),
			now: startedAtMs,
			showStackTraceSources: false,
		});
		return new SandboxRun(workflow, origin, runId);
	}

	async begin(args: readonly unknown[]): Promise<void> {
		const { type, workflowId, number, firstRunId } = this.origin;
		await this.activate([
			{
				initializeWorkflow: {
					workflowId,
					workflowType: type,
					arguments: toPayloads(args),
					randomnessSeed: Long.fromInt(6 + number),
					firstExecutionRunId: firstRunId,
					attempt: 1,
					startTime: msToTs(startedAtMs),
				},
			},
		]);
	}

	async relive(run: SandboxRun, events: number): Promise<void> {
		this.nowMs = run.nowMs;
		this.#updateCount = run.#updateCount;
		for (const activation of run.activations.slice(0, events)) await this.#send(activation);
		await this.#resolveTryCancelled();
	}

	/** MAY be called again. */
	async dispose(): Promise<void> {
		if (!this.#disposed) await this.#workflow.dispose();
		this.#disposed = true;
	}

	/** The one activity of this type that is neither resolved nor cancelled. */
	pending(type: string): Scheduled {
		const found = [...this.#open.values()].filter(activity => activity.type === type);
		const [only] = found;
		if (only === undefined || found.length !== 1)
			throw new Error(`${found.length} pending ${type}; pending are ${this.pendingTypes().join(', ') || 'none'}`);
		return only;
	}

	pendingTypes(): string[] {
		return [...this.#open.values()].map(({ type }) => type);
	}

	/** Those that are neither resolved nor cancelled, oldest first. */
	get open(): readonly Scheduled[] {
		return [...this.#open.values()];
	}

	complete(type: string, result?: unknown): Promise<void> {
		return this.completeActivity(this.pending(type), result);
	}

	async completeActivity({ seq }: Pick<Scheduled, 'seq'>, result?: unknown): Promise<void> {
		// One that was cancelled meanwhile was resolved by that.
		if (!this.#open.delete(seq)) return;
		await this.activate([{ resolveActivity: { seq, result: { completed: { result: toPayload(result ?? null) } } } }]);
	}

	/** Fails an activity for good, as the activities' own failures look. */
	fail(type: string, code: string, message = `${type} failed`, details?: FailureDocument['details']): Promise<void> {
		return this.failActivity(this.pending(type), { code, message, hint: 'mend it', details });
	}

	async failActivity({ seq, type }: Pick<Scheduled, 'seq' | 'type'>, document: FailureDocument): Promise<void> {
		if (!this.#open.delete(seq)) return;
		const failure = activityFailure(type, seq, document);
		await this.activate([{ resolveActivity: { seq, result: { failed: { failure } } } }]);
	}

	/** It was not done within its ScheduleToClose time. */
	async timeOut(type: string, { seq }: Pick<Scheduled, 'seq'> = this.pending(type)): Promise<void> {
		this.#open.delete(seq);
		const failure = {
			message: 'Activity task timed out',
			cause: { message: 'activity ScheduleToClose timeout', timeoutFailureInfo: { timeoutType: scheduleToClose } },
			activityFailureInfo: { activityType: { name: type }, activityId: String(seq) },
		};
		await this.activate([{ resolveActivity: { seq, result: { failed: { failure } } } }]);
	}

	/** Sends an Update; undefined fields of the outcome mean that it is still being answered. */
	async update(name: string, ...args: unknown[]): Promise<UpdateOutcome> {
		await this.updateAtOnce([name, ...args]);
		return this.outcome();
	}

	/** Several Updates that come with the same workflow task. */
	async updateAtOnce(...updates: readonly [name: string, ...args: unknown[]][]): Promise<void> {
		await this.activate(
			updates.map(([name, ...args]) => {
				const id = `update-${++this.#updateCount}`;
				const input = toPayloads(args);
				return { doUpdate: { id, protocolInstanceId: id, name, input, runValidator: true, headers: {}, meta: {} } };
			}),
		);
	}

	/** The other workflow has it, or there is none of that name. */
	async arrive({ seq }: Pick<Sent, 'seq'>, arrived = true): Promise<void> {
		await this.activate([{ resolveSignalExternalWorkflow: this.outside.arrive(seq, arrived) }]);
	}

	/** So much time goes by; timers that are over fire. */
	async passTime(ms: number): Promise<void> {
		this.nowMs += ms;
		const over = this.outside.over(this.nowMs);
		if (over.length > 0) await this.activate(over.map(seq => ({ fireTimer: { seq } })));
	}

	/** Names the update that was sent last. */
	get lastUpdate(): string {
		return `update-${this.#updateCount}`;
	}

	/** What became of the update that was sent last, or of the one with this id. */
	outcome(id = this.lastUpdate): UpdateOutcome {
		return this.#updates.outcome(id);
	}

	signal(name: string, ...args: unknown[]): Promise<void> {
		return this.signalAtOnce(name, [args]);
	}

	/** Several of one name that come with the same workflow task. */
	async signalAtOnce(signalName: string, signals: readonly unknown[][]): Promise<void> {
		await this.activate(signals.map(args => ({ signalWorkflow: { signalName, input: toPayloads(args) } })));
	}

	async cancel(): Promise<void> {
		await this.activate([{ cancelWorkflow: { reason: 'test' } }]);
	}

	async query(name: string): Promise<unknown> {
		const done = await this.#workflow.activate(
			this.#activation([{ queryWorkflow: { queryId: '1', queryType: name, arguments: [] } }]),
		);
		const answer = done.successful?.commands?.[0]?.respondToQuery;
		if (!answer?.succeeded?.response) throw new Error(`query ${name}: ${answer?.failed?.message}`);
		return fromPayload(answer.succeeded.response);
	}

	async activate(jobs: Job[]): Promise<void> {
		this.historyLength += 2 + jobs.length;
		await this.#send(this.#activation(jobs));
		await this.#resolveTryCancelled();
	}

	async #send(activation: WorkflowActivation): Promise<void> {
		this.activations.push(activation);
		for (const { resolveActivity } of activation.jobs) if (resolveActivity) this.#open.delete(resolveActivity.seq ?? 0);
		this.outside.hear(activation.jobs);
		const done = await this.#workflow.activate(activation);
		if (done.failed) throw new Error(`the workflow task failed: ${done.failed.failure?.message}`);
		for (const command of done.successful?.commands ?? []) this.#take(command);
		await this.#takeLog();
	}

	async #takeLog(): Promise<void> {
		for (const { fnName, args } of await this.#workflow.getAndResetSinkCalls()) {
			const [message, fields] = args as [string, Record<string, unknown>]; // of LoggerSinks
			if (fields['sdkComponent'] === 'workflow') this.logged.push([fnName, message, fields]);
		}
	}

	/** Core resolves such activities by itself, without asking the server. */
	async #resolveTryCancelled(): Promise<void> {
		for (const { seq, waits } of this.#open.values())
			if (this.cancelled.has(seq) && !waits && this.closed === undefined) await this.#resolveCancelled(seq);
	}

	#activation(jobs: Job[]) {
		return WorkflowActivation.fromObject({
			runId: this.runId,
			timestamp: msToTs(this.nowMs),
			isReplaying: false,
			historyLength: this.historyLength,
			continueAsNewSuggested: this.suggestContinueAsNew,
			deploymentVersionForCurrentTask: { deploymentName: '', buildId: this.buildId },
			jobs,
		});
	}

	#take(command: Command): void {
		const { scheduleActivity, requestCancelActivity, updateResponse } = command;
		if (scheduleActivity) {
			const activity: Scheduled = {
				seq: scheduleActivity.seq ?? 0,
				type: scheduleActivity.activityType ?? '',
				taskQueue: scheduleActivity.taskQueue ?? '',
				input: scheduleActivity.arguments?.[0] ? fromPayload(scheduleActivity.arguments[0]) : {},
				attempts: scheduleActivity.retryPolicy?.maximumAttempts ?? 0,
				scheduleToStartMs: millis(scheduleActivity.scheduleToStartTimeout),
				scheduleToCloseMs: millis(scheduleActivity.scheduleToCloseTimeout),
				waits: Number(scheduleActivity.cancellationType) === waitCancellationCompleted,
			};
			this.scheduled.push(activity);
			this.#open.set(activity.seq, activity);
		}
		if (requestCancelActivity) this.cancelled.add(requestCancelActivity.seq ?? 0);
		if (updateResponse) this.#updates.take(updateResponse);
		this.outside.take(command, this.nowMs);
		const upserted = command.upsertWorkflowSearchAttributes?.searchAttributes;
		const fields: Record<string, Payload> =
			upserted && 'indexedFields' in upserted ? (upserted.indexedFields ?? {}) : {};
		for (const [key, payload] of Object.entries(fields)) this.attributes[key] = fromPayload(payload);
		const memo = command.modifyWorkflowProperties?.upsertedMemo?.fields ?? {};
		for (const [key, payload] of Object.entries(memo)) this.memo[key] = fromPayload(payload);
		this.#takeEnd(command);
	}

	#takeEnd(command: Command): void {
		if (command.completeWorkflowExecution) {
			this.closed = 'completed';
			const { result } = command.completeWorkflowExecution;
			this.result = result ? fromPayload(result) : undefined;
		}
		if (command.failWorkflowExecution) {
			this.closed = 'failed';
			this.failureCode = command.failWorkflowExecution.failure?.applicationFailureInfo?.type ?? undefined;
		}
		if (command.continueAsNewWorkflowExecution) {
			this.closed = 'continued';
			this.nextArguments = (command.continueAsNewWorkflowExecution.arguments ?? []).map(payload =>
				fromPayload(payload),
			);
		}
	}

	/** TRY_CANCEL activities leave the workflow at once; this tells it how a waiting one ended. */
	async resolveCancelled(type: string): Promise<void> {
		await this.#resolveCancelled(this.pending(type).seq);
	}

	async #resolveCancelled(seq: number): Promise<void> {
		this.#open.delete(seq);
		await this.activate([
			{
				resolveActivity: { seq, result: { cancelled: { failure: { message: 'cancelled', canceledFailureInfo: {} } } } },
			},
		]);
	}
}

function millis(duration: Parameters<typeof optionalTsToMs>[0]): number {
	return optionalTsToMs(duration) ?? 0;
}
