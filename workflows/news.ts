import { condition, DeterminismViolationError, getExternalWorkflowHandle, log, setHandler } from '@temporalio/workflow';
import * as z from 'zod';
import type { ErrorCode } from '../model/errors.ts';
import { shortMessage } from '../model/incidents.ts';
import { nameSchema } from '../model/names.ts';
import { terminalPhases } from '../model/recovery.ts';
import { batchWorkflowId, type ItemNews, itemNewsSignal, tellBatchSignal } from './batch-contracts.ts';
import { drillWorkflowId } from './drill-contracts.ts';
import type { Run } from './run.ts';
import type { WorkflowState } from './state.ts';
import type { ToldBatch } from './told-batch.ts';

/** Far above what wants to know of one recovery at once; who came first is forgotten first. */
const mostBatches = 8;

const tellSchema = z.object({ batch: nameSchema });

/**
 * Tells batches what becomes of this recovery: whatever differs from what each was told last, one after the other, so that it
 * arrives in its order. What a run could not see arrive the next one tells again. A batch that is not there any more is
 * told no more; without batches nothing is scheduled.
 */
export class BatchNews {
	readonly #run: Run;
	#underWay = false;

	constructor(run: Run) {
		this.#run = run;
		setHandler(tellBatchSignal, sent => this.#add(sent));
	}

	/** For ever. */
	async tell(): Promise<never> {
		for (;;) {
			await condition(() => dueIn(this.#run.state) !== undefined);
			const due = dueIn(this.#run.state);
			if (due) await this.#send(due.told, due.is);
		}
	}

	/** All is told: a run that ended before would leave a batch waiting for its news. */
	async told(): Promise<void> {
		await condition(() => !this.#underWay && dueIn(this.#run.state) === undefined);
	}

	#add(sent: unknown): void {
		const parsed = tellSchema.safeParse(sent);
		if (!parsed.success) return log.warn('whom to tell is not understood');
		const { batch } = parsed.data;
		const { state } = this.#run;
		const others = state.batches.filter(told => told.batch !== batch);
		const number = state.batches.find(told => told.batch === batch)?.number ?? 0;
		state.batches = [...others, { batch, number, readiness: 'waiting' as const, ended: false }].slice(-mostBatches);
	}

	async #send(told: ToldBatch, is: ItemNews['is']): Promise<void> {
		const { state } = this.#run;
		told.number = Math.max(told.number + 1, Date.now());
		const news: ItemNews = {
			item: this.#run.request.name,
			recoveryId: state.recoveryId,
			number: told.number,
			is,
			parked: parkedIn(state) !== null,
			phase: state.phase,
			...whyIn(state, is),
		};
		const after = afterwards(state, is);
		this.#underWay = true;
		try {
			await getExternalWorkflowHandle(whomToTell(this.#run, told)).signal(itemNewsSignal, news);
			Object.assign(told, after);
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			log.info('a batch is told no more', { batch: told.batch, why: String(error) });
			state.batches = state.batches.filter(each => each !== told);
		} finally {
			this.#underWay = false;
		}
	}
}

/** Of a drill's recovery it is that drill: a batch that has its name is told nothing. */
function whomToTell({ request }: Run, { batch }: ToldBatch): string {
	return request.drill ? drillWorkflowId(batch) : batchWorkflowId(batch);
}

interface Due {
	told: ToldBatch;
	is: ItemNews['is'];
}

function dueIn(state: WorkflowState): Due | undefined {
	for (const told of state.batches) {
		const is = newsFor(state, told);
		if (is !== undefined) return { told, is };
	}
	return undefined;
}

/** Ready before ended: whoever waits for the one must not take the other for it. */
function newsFor(state: WorkflowState, told: ToldBatch): ItemNews['is'] | undefined {
	const { is } = state.readiness;
	if (told.ended) return undefined;
	if (is !== 'waiting' && is !== told.readiness) return is;
	if (terminalPhases.includes(state.phase)) return 'ended';
	const parked = parkedIn(state)?.code ?? null;
	if (parked === told.parked) return undefined;
	return parked === null ? 'unparked' : 'parked';
}

function afterwards(state: WorkflowState, is: ItemNews['is']): Partial<ToldBatch> {
	if (is === 'ended') return { ended: true };
	const parked = parkedIn(state)?.code ?? null;
	if (is === 'parked' || is === 'unparked') return { parked };
	// That it goes on is said with it; what it waits for a person for is news of its own.
	return parked === null ? { parked, readiness: is } : { readiness: is };
}

function whyIn(state: WorkflowState, is: ItemNews['is']): Pick<ItemNews, 'code' | 'reason'> {
	const { code = null, reason = null } = whyOf(state, is) ?? {};
	return { code, reason: reason === null ? null : shortMessage(reason) };
}

function whyOf(state: WorkflowState, is: ItemNews['is']): { code: ErrorCode | null; reason: string | null } | null {
	if (is === 'parked') return parkedIn(state);
	if (is === 'not_ready') return state.readiness;
	return is === 'ended' ? endedBy(state) : null;
}

function endedBy({ failure }: WorkflowState): { code: ErrorCode; reason: string } | null {
	return failure && { code: failure.code, reason: failure.message };
}

/** By the workflow or by its host: both wait for a person. */
function parkedIn({ parked, blocked }: WorkflowState): WorkflowState['parked'] {
	return parked ?? blocked;
}
