import type { SearchAttributeUpdatePair } from '@temporalio/common';
import {
	allHandlersFinished,
	CancellationScope,
	condition,
	isCancellation,
	log,
	makeContinueAsNewFunc,
	setCurrentDetails,
	upsertMemo,
	upsertSearchAttributes,
	workflowInfo,
} from '@temporalio/workflow';
import type { HostStepInput } from '../model/activity-inputs.ts';
import type { ErrorDocument } from '../model/errors.ts';
import type { Phase, RecoveryPlan, RecoveryRequest, RecoveryStatus } from '../model/recovery.ts';
import { type RecoveryInput, type RecoveryMemo, searchAttributes } from './contracts.ts';
import { documentOf, endOnHost, Interruption } from './failures.ts';
import type { LeaseHolder, LeaseKind, RecoveryLeases } from './lease-state.ts';
import { currentDetails } from './progress.ts';
import { statusOf, type WorkflowState, type WorkflowStep } from './state.ts';
import { type HostStubs, hostStubs } from './stubs.ts';

/** What may end a piece of work early, beside a discard and a cancellation, which always may. */
interface Interruptible {
	/** It may be left for a new run. */
	renewable?: boolean;
	/** What it was given does not hold any more. */
	stale?: () => boolean;
	/** Nothing ends it early but that its host is given up: it is not to be left by halves. */
	whole?: boolean;
}

/** A piece of work that may be ended early. */
interface Underway {
	scope: CancellationScope;
	options: Interruptible;
	/** Set when it was: why. */
	ended?: Interruption['why'];
}

/** What a memo carries of the incidents: enough for `show` without a worker. */
const memoIncidents = 10;

/** One run of the workflow: the state, and the rules by which steps change it. */
export class Run implements LeaseHolder {
	readonly state: WorkflowState;
	readonly #input: RecoveryInput;
	#stubs: { hostId: string; host: HostStubs } | undefined;
	#current: Underway | undefined;
	#end: 'finished' | 'discarded' | undefined;
	#published = '';
	#publishedPhase: string | undefined;
	#publishedParked: string | null;
	#publishedHost: string | undefined;

	constructor(input: RecoveryInput, state: WorkflowState) {
		this.state = state;
		this.#input = input;
		const { typedSearchAttributes } = workflowInfo();
		this.#publishedPhase = typedSearchAttributes.get(searchAttributes.phase);
		this.#publishedParked = typedSearchAttributes.get(searchAttributes.parked) ?? null;
		this.#publishedHost = typedSearchAttributes.get(searchAttributes.host);
	}

	/** With the host that it was given; over a pool, as long as it has none, with the first. */
	get request(): RecoveryRequest {
		return { ...this.#input.request, ...this.state.place };
	}

	/** Where it has its place: nobody is asked before. */
	get host(): HostStubs {
		const { place } = this.state;
		if (place === null) throw new Error('no host has it yet');
		if (this.#stubs?.hostId !== place.hostId) this.#stubs = { hostId: place.hostId, host: hostStubs(place.hostId) };
		return this.#stubs.host;
	}

	get leases(): RecoveryLeases {
		return this.state.leases;
	}

	/** The batch that has started it. */
	get batch(): string | undefined {
		return this.#input.batch;
	}

	/** A pool is nothing without a broker, which knows what is free where. */
	get asksBroker(): boolean {
		return this.#input.broker === true || this.#input.request.pool !== undefined;
	}

	get plan(): RecoveryPlan {
		if (this.state.plan === null) throw new Error('the plan is not made yet');
		return this.state.plan;
	}

	status(): RecoveryStatus {
		return statusOf(this.request, this.state);
	}

	isDone(step: WorkflowStep): boolean {
		return this.state.done.includes(step);
	}

	/** Does a step unless an earlier run of this recovery did it. */
	async once(
		step: WorkflowStep,
		work: (input: HostStepInput) => Promise<void>,
		options: Interruptible = {},
	): Promise<void> {
		if (this.isDone(step)) return;
		await this.attempt(work, options);
		this.state.done.push(step);
	}

	/**
	 * Does `work` under a new generation. Ends early, with an {@link Interruption}, when a person or Temporal wants
	 * something else, or the host has ended the recovery. When an order that came in between took a higher generation to
	 * the host, it is done again.
	 */
	async attempt<T>(work: (input: HostStepInput) => Promise<T>, options: Interruptible = {}): Promise<T> {
		for (;;) {
			const input = this.nextInput();
			try {
				return await this.interruptible(() => work(input), options);
			} catch (error) {
				const end = endOnHost(documentOf(error));
				if (end) throw this.#interrupted(end);
				if (!this.wasOvertaken(error, input)) throw error;
			}
		}
	}

	nextInput(): HostStepInput {
		this.state.generation += 1;
		return this.sameInput();
	}

	/** For orders that belong to the step under way (power): they neither fence it nor are fenced by it. */
	sameInput(): HostStepInput {
		const { hostId, name } = this.request;
		return { hostId, name, recoveryId: this.state.recoveryId, generation: this.state.generation };
	}

	wasOvertaken(error: unknown, input: HostStepInput): boolean {
		return documentOf(error).code === 'generation_stale' && this.state.generation > input.generation;
	}

	/**
	 * The host is further than this workflow: its history was put back, or another one is at work. What is asked next is
	 * above all that the host has seen. False when it is no further.
	 */
	catchUp({ details }: ErrorDocument): boolean {
		const seen = details?.['generation'];
		if (typeof seen !== 'number' || seen <= this.state.generation) return false;
		this.state.generation = seen;
		return true;
	}

	/** The host has refused an order because it has ended the recovery: what is under way is left for that. */
	endedOnHost(end: 'finished' | 'discarded'): void {
		this.#end = end;
		this.reconsider();
	}

	/** For what came between two steps: a discard, or a cancellation. */
	throwIfInterrupted(): void {
		this.#throwIfInterrupted({});
	}

	async interruptible<T>(work: () => Promise<T>, options: Interruptible = {}): Promise<T> {
		this.#throwIfInterrupted(options);
		const current: Underway = { scope: new CancellationScope(), options };
		this.#current = current;
		try {
			return await current.scope.run(work);
		} catch (error) {
			if (!isCancellation(error)) throw error;
			this.#throwIfInterrupted(options);
			// The reason may be gone by now (a rate that was changed back); the work is over all the same.
			throw current.ended ? this.#interrupted(current.ended) : error;
		} finally {
			this.#current = undefined;
		}
	}

	/** Waits, for days if need be; histories that grow meanwhile are renewed. */
	waitUntil(reached: () => boolean): Promise<void> {
		return this.interruptible(() => condition(reached), { renewable: true });
	}

	/** Called after everything that may change the course: an order, or a longer history. */
	reconsider(): void {
		const why = this.#current && this.#interruption(this.#current.options);
		if (!this.#current || !why) return;
		this.#current.ended = why;
		this.#current.scope.cancel();
	}

	cancelRequested(): void {
		this.state.cancelRequested = true;
		this.reconsider();
	}

	#interruption({ renewable = false, whole = false, stale }: Interruptible): Interruption['why'] | undefined {
		const { wanted, phase } = this.state;
		const abandoning = phase === 'abandoning';
		if (wanted.abandon && !abandoning) return 'abandon';
		if (whole) return undefined;
		if (this.#end && !abandoning) return this.#end;
		if (wanted.discard && phase !== 'discarding' && !abandoning) return 'discard';
		if (this.state.cancelRequested) return 'cancel';
		if (renewable && workflowInfo().continueAsNewSuggested) return 'renew';
		return stale?.() ? 'stale' : undefined;
	}

	#throwIfInterrupted(options: Interruptible): void {
		const why = this.#interruption(options);
		if (why === 'cancel') this.state.cancelRequested = false; // acted on once; from then on it is the parking that stays
		if (why === this.#end) this.#end = undefined;
		if (why) throw this.#interrupted(why);
	}

	#interrupted(why: Interruption['why']): Interruption {
		const { phase, generation } = this.state;
		log.info('interrupted', { why, phase, generation });
		return new Interruption(why);
	}

	/** A machine that runs goes on running; a copy is not begun again before somebody says so. */
	leaseTaken(kind: LeaseKind, why: string): void {
		if (kind === 'migrate') this.state.leases.taken = why;
		this.publish();
		this.reconsider();
	}

	enter(phase: Phase): void {
		this.state.phase = phase;
		this.publish();
	}

	/** Makes what a person can see readable without a worker. Says nothing when nothing of it has changed. */
	publish(): void {
		const status = this.status();
		setCurrentDetails(currentDetails(status, this.state.restoredBytes));
		const { generation: _generation, incidents: _incidents, ...visible } = status;
		const leases = [...this.state.leases.held, ...this.state.owed.flatMap(({ lease }) => lease ?? [])];
		const text = JSON.stringify([visible, leases]);
		if (text === this.#published) return;
		this.#published = text;
		const memo: Partial<RecoveryMemo> = {
			recoveryId: this.state.recoveryId,
			status: { ...status, incidents: status.incidents.slice(-memoIncidents) },
			...(this.asksBroker ? { leases } : {}),
			...(this.#input.request.pool ? { request: this.request } : {}),
		};
		upsertMemo(memo);
		this.#publishAttributes(status);
	}

	#publishAttributes(status: RecoveryStatus): void {
		const changes: SearchAttributeUpdatePair[] = [];
		const parked = status.parked?.code ?? null;
		if (status.phase !== this.#publishedPhase) {
			changes.push({ key: searchAttributes.phase, value: status.phase });
			log.info('phase', { phase: status.phase });
		}
		if (parked !== this.#publishedParked) {
			changes.push({ key: searchAttributes.parked, value: parked });
			logParking(status);
		}
		const { pool } = this.#input.request;
		if (pool && status.host !== null && status.host !== this.#publishedHost)
			changes.push({ key: searchAttributes.host, value: status.host });
		this.#publishedHost = status.host ?? this.#publishedHost;
		this.#publishedPhase = status.phase;
		this.#publishedParked = parked;
		if (changes.length > 0) upsertSearchAttributes(changes);
	}

	/**
	 * Starts the next run with the whole state, a cancellation that comes meanwhile included. An Update that is not finished
	 * by then would fail for good.
	 */
	async renew(): Promise<never> {
		await condition(allHandlersFinished);
		const { memo, typedSearchAttributes, historyLength } = workflowInfo();
		log.info('renewed: the next run goes on with the same state', { historyLength });
		const next = makeContinueAsNewFunc<(input: RecoveryInput, state: WorkflowState) => Promise<unknown>>({
			...(memo ? { memo } : {}),
			typedSearchAttributes,
		});
		return next(this.#input, this.state);
	}
}

/** By the workflow or by its host: both wait for a person. */
function logParking({ phase, parked }: RecoveryStatus): void {
	if (parked) log.warn('parked', { phase, code: parked.code, reason: parked.reason });
	else log.info('unparked', { phase });
}
