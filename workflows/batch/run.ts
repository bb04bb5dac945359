import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
	getExternalWorkflowHandle,
	log,
	ParentClosePolicy,
	proxyActivities,
	startChild,
	upsertSearchAttributes,
} from '@temporalio/workflow';
import type { BatchActivities } from '../../activities/batch-activities.ts';
import type { BatchItem } from '../../model/batch.ts';
import type { BatchPhase } from '../../model/batch-view.ts';
import { itemRequest } from '../../model/batch-requests.ts';
import { itemsOptions } from '../activity-options.ts';
import { takeBackSignal, tellBatchSignal } from '../batch-contracts.ts';
import {
	type RecoveryInput,
	type RecoveryMemo,
	recoveryWorkflow,
	recoveryWorkflowId,
	searchAttributes,
	summaryOf,
	taskQueues,
} from '../contracts.ts';
import { documentOf } from '../failures.ts';
import type { BatchEffect, Happening } from './events.ts';
import type { Layout } from './layout.ts';
import { reduce } from './reduce.ts';
import type { BatchState } from './state.ts';
import { phaseOf } from './view.ts';

const { prepareItems, lookAtItems, orderItems } = proxyActivities<BatchActivities>(itemsOptions);

/** One run of a batch: the state first, then what is to be done because of it. */
export class BatchRun {
	readonly layout: Layout;
	state: BatchState;
	/** Something has happened since the last round. */
	dirty = true;
	readonly #again: boolean;
	/** Its recoveries are disposable: they are cancelled when this workflow is over, and taken back at any time. */
	readonly #disposable: boolean;
	#underWay = 0;
	#published: BatchPhase | undefined;

	constructor(
		layout: Layout,
		state: BatchState,
		{ again, disposable = false }: { again: boolean; disposable?: boolean },
	) {
		this.layout = layout;
		this.state = state;
		this.#again = again;
		this.#disposable = disposable;
	}

	/** Nothing is under way whose answer would be lost with this run. */
	get quiet(): boolean {
		return this.#underWay === 0;
	}

	happens(happening: Happening): void {
		const { state, effects } = reduce(this.layout, this.state, { ...happening, atMs: Date.now() });
		// What a drill has beneath is never over: it waits for tests while nothing is left to start, and is to go on with its rounds.
		this.state = this.#disposable ? { ...state, endedMs: null } : state;
		this.dirty = happening.type !== 'tick';
		for (const effect of effects) this.#carryOut(effect);
		this.#publish();
	}

	#publish(): void {
		if (this.#disposable) return; // a drill goes on when its machines are ready
		const phase = phaseOf(this.state);
		if (phase === this.#published) return;
		this.#published = phase;
		upsertSearchAttributes([{ key: searchAttributes.phase, value: phase }]);
	}

	#carryOut(effect: BatchEffect): void {
		switch (effect.type) {
			case 'prepare': {
				const { items } = effect;
				this.#ask(items, async () => {
					const answers = await prepareItems({ items: items.map(index => this.#wanted(index)), again: this.#again });
					this.happens({ type: 'prepared', items, answers });
				});
				return;
			}
			case 'look': {
				const { items, askedMs } = effect;
				this.#ask(items, async () => {
					const answers = await lookAtItems({ items: this.#named(items) });
					this.happens({ type: 'looked', items, answers, askedMs });
				});
				return;
			}
			case 'order': {
				const { items, order, asked } = effect;
				const named = items.map(index => ({
					...this.#name(index),
					recoveryId: this.state.items[index]?.recoveryId ?? null,
					own: this.state.items[index]?.own ?? false,
				}));
				this.#ask(items, async () => {
					const answers = await orderItems({ order, batch: this.layout.plan.name, ...asked, items: named });
					this.happens({ type: 'ordered', order, items, answers });
				});
				return;
			}
			case 'start':
				this.#follow(() => this.#start(effect.item));
				return;
			case 'tell':
				this.#follow(() => this.#tell(effect.item, effect.what));
				return;
			default:
				effect satisfies never;
		}
	}

	async #start(index: number): Promise<void> {
		const items = [index];
		try {
			await startRecovery(this.layout, this.#item(index), this.#disposable);
			this.happens({ type: 'started', items });
		} catch (error) {
			if (error instanceof WorkflowExecutionAlreadyStartedError) {
				this.happens({ type: 'taken', items });
				return;
			}
			const { code, message: reason } = documentOf(error);
			this.happens({ type: 'not-started', items, code, reason });
		}
	}

	async #tell(index: number, what: 'tell' | 'take-back'): Promise<void> {
		const { plan } = this.layout;
		const recovery = getExternalWorkflowHandle(recoveryWorkflowId(this.#item(index).name));
		let arrived = true;
		try {
			if (what === 'tell') await recovery.signal(tellBatchSignal, { batch: plan.name });
			else {
				const by = `${this.#disposable ? 'drill' : 'batch'} ${plan.name}`;
				const asked = { batch: plan.name, by, reason: this.state.stop?.reason ?? '' };
				await recovery.signal(takeBackSignal, this.#disposable ? { ...asked, drill: true } : asked);
			}
		} catch {
			arrived = false; // it fails only when none of that name is open
		}
		this.happens({ type: 'told', what, items: [index], arrived });
	}

	#ask(items: readonly number[], question: () => Promise<void>): void {
		this.#follow(async () => {
			try {
				await question();
			} catch (error) {
				log.warn('no answer; asked again', { code: documentOf(error).code, items: items.length });
				this.happens({ type: 'no-answer', items });
			}
		});
	}

	#follow(work: () => Promise<void>): void {
		this.#underWay += 1;
		void work().finally(() => {
			this.#underWay -= 1;
		});
	}

	#item(index: number): BatchItem {
		const place = this.layout.places[index];
		if (place === undefined) throw new Error(`the plan has no item ${index}`);
		return place.item;
	}

	#name(index: number): Pick<BatchItem, 'name' | 'requestHash'> {
		const { name, requestHash } = this.#item(index);
		return { name, requestHash };
	}

	/** Nobody works with a drill's machine: a second one does no harm. */
	#wanted(index: number): Pick<BatchItem, 'name' | 'requestHash'> & { again?: true } {
		const isNamed = this.#disposable || this.state.items[index]?.again === true;
		return isNamed ? { ...this.#name(index), again: true } : this.#name(index);
	}

	#named(indexes: readonly number[]): Pick<BatchItem, 'name' | 'requestHash'>[] {
		return indexes.map(index => this.#name(index));
	}
}

/**
 * As `client/recoveries.ts` starts one. It outlives the batch, which continues as new and ends long before it; that of a drill
 * must not: the server itself cancels it then, also when the drill is ended by force.
 */
async function startRecovery({ plan }: Layout, item: BatchItem, disposable: boolean): Promise<void> {
	const request = itemRequest(plan, item);
	const { requestHash } = item;
	const input: RecoveryInput = { request, requestHash, broker: true, batch: plan.name };
	const memo: RecoveryMemo = { request, requestHash };
	await startChild(recoveryWorkflow, {
		workflowId: recoveryWorkflowId(request.name),
		taskQueue: taskQueues.control,
		args: [input],
		memo,
		typedSearchAttributes: [
			{ key: searchAttributes.machine, value: request.machine },
			// A pool has none yet.
			...(request.pool ? [] : [{ key: searchAttributes.host, value: request.host }]),
			{ key: searchAttributes.phase, value: 'planned' },
			{ key: searchAttributes.owner, value: request.requestedBy },
			...(disposable ? [] : [{ key: searchAttributes.batch, value: plan.name }]),
		],
		parentClosePolicy: disposable ? ParentClosePolicy.REQUEST_CANCEL : ParentClosePolicy.ABANDON,
		workflowIdReusePolicy: 'ALLOW_DUPLICATE',
		staticSummary: summaryOf(request),
	});
}
