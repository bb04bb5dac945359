import { CancellationScope, executeChild, isCancellation, log, upsertSearchAttributes } from '@temporalio/workflow';
import type { DrillPlan } from '../../model/drill.ts';
import { type MachineOutcome, reportDirectory } from '../../model/drill-report.ts';
import type { DrilledView, DrillPhase, DrillView } from '../../model/drill-view.ts';
import { itemRequest } from '../../model/batch-requests.ts';
import type { ErrorCode } from '../../model/errors.ts';
import { layoutOf } from '../batch/layout.ts';
import { BatchRun } from '../batch/run.ts';
import { emptyBatch, type Item, isUnderWay } from '../batch/state.ts';
import { viewOf } from '../batch/view.ts';
import { type Asked, searchAttributes } from '../contracts.ts';
import {
	drilledMachineId,
	type DrilledMachineInput,
	type DrilledMachineResult,
	drilledMachineWorkflow,
} from '../drill-contracts.ts';
import { documentOf } from '../failures.ts';
import { drillControl } from './stubs.ts';
import { followersOf } from './followers.ts';
import { verdictOn } from './verdict.ts';

/** What came of a machine; `undefined` while it is tried. */
interface Tried {
	outcome: { passed: boolean; code: ErrorCode | null; reason: string | null } | undefined;
}

/** One drill: a batch beneath, which starts and watches, and what is to be done with its machines. */
export class DrillRun {
	readonly plan: DrillPlan;
	readonly batch: BatchRun;
	readonly #startedAt: Date;
	readonly #followers: ReadonlyMap<string, readonly string[]>;
	/** By index of the item. */
	readonly #tried = new Map<number, Tried>();
	readonly #testing = new CancellationScope();
	#cancelled: string | null = null;
	/** When all was tried. */
	#triedMs: number | null = null;
	#endedMs: number | null = null;
	#report: string | null = null;
	#published: DrillPhase | undefined;
	#newTrial = false;

	constructor(plan: DrillPlan, startedAt: Date) {
		this.plan = plan;
		this.#startedAt = startedAt;
		this.#followers = followersOf(plan.batch);
		const state = emptyBatch(plan.batch.items, startedAt.getTime());
		this.batch = new BatchRun(layoutOf(plan.batch), state, { again: true, disposable: true });
	}

	/** Something has happened since the last round. */
	get dirty(): boolean {
		return this.batch.dirty || this.#newTrial;
	}

	get quiet(): boolean {
		return this.batch.quiet;
	}

	get isTried(): boolean {
		return this.#indexes.every(index => this.#tried.get(index)?.outcome !== undefined);
	}

	get isThrownAway(): boolean {
		return this.quiet && this.batch.state.items.every(item => !isUnderWay(item));
	}

	/** One round: what is ready is tried, what needs nobody any more is thrown away. */
	goOn(): void {
		this.#newTrial = false;
		if (this.batch.dirty) this.batch.happens({ type: 'tick' });
		this.#beginAgain();
		for (const index of this.#indexes) this.#try(index);
		this.#throwAway();
		// At once, as nothing may come any more that would lead to another round.
		if (this.batch.dirty) this.batch.happens({ type: 'tick' });
		if (this.isTried) this.#triedMs ??= Date.now();
		this.#publish();
	}

	/** What is being tested is left, and everything is thrown away. */
	cancel({ by, reason }: Asked): void {
		if (this.#cancelled !== null || this.#triedMs !== null) return;
		this.#cancelled = `cancelled by ${by}${reason ? `: ${reason}` : ''}`;
		log.info('cancelled', { by, reason });
		this.batch.happens({ type: 'cancel', asked: reason === undefined ? { by } : { by, reason } });
		this.#testing.cancel();
		this.#newTrial = true;
	}

	/** Written when all is tried, since what is thrown away may take its time, and once more when nothing is left. */
	async writeReport(): Promise<void> {
		const { batch, keep } = this.plan;
		const directory = reportDirectory(this.#startedAt.toISOString());
		await drillControl.writeDrillReport({
			directory,
			keep,
			name: batch.name,
			reason: batch.reason,
			requestedBy: batch.requestedBy,
			startedAt: this.#startedAt.toISOString(),
			endedAt: new Date(this.#triedMs ?? Date.now()).toISOString(),
			cancelled: this.#cancelled,
			machines: this.#indexes.map(index => this.#outcome(index)),
		});
		this.#report = directory;
		this.#publish();
	}

	end(): DrillView {
		this.#endedMs = Date.now();
		this.#publish();
		return this.view();
	}

	view(): DrillView {
		const { layout, state } = this.batch;
		const items = viewOf(layout, state).items;
		return {
			name: this.plan.batch.name,
			phase: this.#phase,
			startedMs: this.#startedAt.getTime(),
			endedMs: this.#endedMs,
			passed: this.isTried ? this.#indexes.every(index => this.#tried.get(index)?.outcome?.passed) : null,
			cancelled: this.#cancelled,
			report: this.#report,
			machines: items.map(
				({ name, machine, group, state: is, phase, recoveryId, code, reason }, index): DrilledView => {
					const tried = this.#tried.get(index);
					const { outcome } = tried ?? {};
					const stage = outcome ? (outcome.passed ? 'passed' : 'failed') : tried ? 'testing' : 'waiting';
					const why = outcome ? { code: outcome.code, reason: outcome.reason } : { code, reason };
					const discarded = this.#isGone(index);
					return { name, machine, group, state: is, phase, recoveryId, ...why, stage, discarded };
				},
			),
		};
	}

	get #indexes(): number[] {
		return this.batch.layout.places.map(({ index }) => index);
	}

	get #phase(): DrillPhase {
		if (this.#endedMs !== null) return 'over';
		if (this.isTried) return 'discarding';
		return this.#cancelled === null ? 'running' : 'cancelled';
	}

	/** What an earlier drill of this name has left comes to its end by itself: then it is begun as if nothing had been. */
	#beginAgain(): void {
		const left = this.#indexes.filter(index => {
			const item = this.batch.state.items[index];
			return item?.found && item.state === 'ended' && item.phase === 'discarded' && !this.#tried.has(index);
		});
		if (left.length > 0) this.batch.happens({ type: 'again', items: left });
	}

	#try(index: number): void {
		const item = this.batch.state.items[index];
		if (item === undefined || this.#tried.has(index)) return;
		const verdict =
			this.#cancelled === null ? verdictOn(item) : { code: 'interrupted' as const, reason: this.#cancelled };
		if (verdict === 'wait') return;
		const tried: Tried = { outcome: undefined };
		this.#tried.set(index, tried);
		// Nobody will look at one that did not come up: those who follow are tried all the same.
		if (verdict !== 'test' && isUnderWay(item)) this.batch.happens({ type: 'overlook', items: [index] });
		const settle = (outcome: NonNullable<Tried['outcome']>) => {
			tried.outcome = outcome;
			this.#newTrial = true;
		};
		const { recoveryId } = item;
		const failed = verdict === 'test' ? null : { passed: false, ...verdict };
		if (this.#cancelled !== null || !isUnderWay(item) || recoveryId === null) {
			settle(failed ?? { passed: false, code: 'internal', reason: 'its recovery has no id' });
			return;
		}
		void this.#look(index, recoveryId, failed === null).then(found => settle(failed ?? found));
	}

	/** Also at one that did not come up: its console may say why. */
	async #look(index: number, recoveryId: string, test: boolean): Promise<NonNullable<Tried['outcome']>> {
		const { name } = this.#item(index);
		const drill = this.plan.batch.name;
		const input: DrilledMachineInput = {
			drill,
			report: reportDirectory(this.#startedAt.toISOString()),
			name,
			recoveryId,
			tests: test ? (this.plan.tests[name] ?? []) : [],
		};
		try {
			const { passed, reason }: DrilledMachineResult = await this.#testing.run(() =>
				executeChild(drilledMachineWorkflow, {
					workflowId: drilledMachineId(drill, name),
					args: [input],
					workflowIdReusePolicy: 'ALLOW_DUPLICATE',
				}),
			);
			return { passed, code: passed ? null : 'drill_failed', reason };
		} catch (error) {
			if (isCancellation(error)) return { passed: false, code: 'interrupted', reason: this.#cancelled };
			const { code, message } = documentOf(error);
			return { passed: false, code, reason: `it could not be tested: ${message}` };
		}
	}

	#throwAway(): void {
		const isDone = (index: number) => this.#tried.get(index)?.outcome !== undefined;
		const { places, groups } = this.batch.layout;
		const items = places.filter(({ index, item: { group } }) => {
			const item = this.batch.state.items[index];
			if (item === undefined || !isUnderWay(item) || item.leaving || !isDone(index)) return false;
			return (this.#followers.get(group) ?? []).every(name => (groups.get(name) ?? []).every(isDone));
		});
		if (items.length > 0) this.batch.happens({ type: 'throw-away', items: items.map(({ index }) => index) });
	}

	#isGone(index: number): boolean {
		const item = this.batch.state.items[index];
		return item !== undefined && !isUnderWay(item) && !item.busy && (item.state !== 'ended' || isClean(item));
	}

	#item(index: number) {
		const place = this.batch.layout.places[index];
		if (place === undefined) throw new Error(`the plan has no item ${index}`);
		return place.item;
	}

	#outcome(index: number): MachineOutcome {
		const item = this.#item(index);
		const { machine, restorePoint } = itemRequest(this.plan.batch, item);
		const outcome = this.#tried.get(index)?.outcome ?? { passed: false, code: 'internal' as const, reason: null };
		return {
			name: item.name,
			machine,
			restorePoint,
			group: item.group,
			recoveryId: this.batch.state.items[index]?.recoveryId ?? null,
			...outcome,
			discarded: this.#isGone(index),
		};
	}

	#publish(): void {
		const phase = this.#phase;
		if (phase === this.#published) return;
		this.#published = phase;
		upsertSearchAttributes([{ key: searchAttributes.phase, value: phase }]);
	}
}

/** Of one that was given up, or ended by force, nobody knows what its host has. */
function isClean({ phase }: Pick<Item, 'phase'>): boolean {
	return phase === 'discarded' || phase === 'failed';
}
