import type { BatchPlan } from '../../model/batch.ts';
import type { Prepared } from '../../model/batch-glance.ts';
import type { BatchView, ItemState } from '../../model/batch-view.ts';
import type { BatchInput, ItemNews } from '../../workflows/batch-contracts.ts';
import { recoveryIdOf } from '../equipment/batch-site.ts';
import type { StartedChild } from '../equipment/sandbox-outside.ts';
import type { Sandbox, SandboxRun, Scheduled } from '../equipment/sandbox.ts';

/** A batch in the sandbox, and the answers of the world around it. */
export class SandboxBatch {
	readonly run: SandboxRun;
	readonly #begun = new Set<StartedChild>();
	#number = 0;

	private constructor(run: SandboxRun) {
		this.run = run;
	}

	static async start(sandbox: Sandbox, plan: BatchPlan, more: Omit<BatchInput, 'plan'> = {}): Promise<SandboxBatch> {
		return new SandboxBatch(await sandbox.start('batch', [{ plan, ...more }], `batch/${plan.name}`));
	}

	/** Of what starts and watches as a batch does. */
	static of(run: SandboxRun): SandboxBatch {
		return new SandboxBatch(run);
	}

	/** The run that goes on when this one continued as new. */
	async next(sandbox: Sandbox): Promise<SandboxBatch> {
		const next = new SandboxBatch(await sandbox.goOn(this.run));
		next.run.nowMs = this.run.nowMs;
		next.#number = this.#number;
		return next;
	}

	/** Answers what is asked about items, and begins recoveries, until nothing of that is open. */
	async settle(found: Readonly<Record<string, Prepared>> = {}): Promise<void> {
		for (;;) {
			const asked = this.run.open.filter(({ type }) => type === 'prepareItems');
			const children = this.waiting();
			if (asked.length === 0 && children.length === 0) return;
			for (const activity of asked) await this.prepared(activity, found);
			for (const child of children) this.#begun.add(child);
			const jobs = children.map(child => ({ resolveChildWorkflowExecutionStart: this.run.outside.begun(child, true) }));
			if (jobs.length > 0) await this.run.activate(jobs);
		}
	}

	prepared(activity: Scheduled, found: Readonly<Record<string, Prepared>> = {}): Promise<void> {
		const answers = namesIn(activity).map((name): Prepared => found[name] ?? { name, is: 'free' });
		return this.run.completeActivity(activity, answers);
	}

	/** Children of which it is not known yet whether they were started. */
	waiting(): StartedChild[] {
		return this.run.outside.children.filter(child => !this.#begun.has(child));
	}

	async begin(child: StartedChild, isNew = true): Promise<void> {
		this.#begun.add(child);
		await this.run.activate([{ resolveChildWorkflowExecutionStart: this.run.outside.begun(child, isNew) }]);
	}

	started(): string[] {
		return this.run.outside.children.map(({ workflowId }) => workflowId);
	}

	/** What the recoveries of these items tell, with one workflow task. */
	async news(is: ItemNews['is'], items: readonly string[], more: Partial<ItemNews> = {}): Promise<void> {
		const news = items.map((item): [ItemNews] => {
			this.#number += 1;
			const known = { recoveryId: recoveryIdOf(item), number: this.#number, phase: 'running' as const };
			return [{ item, is, parked: is === 'parked', code: null, reason: null, ...known, ...more }];
		});
		await this.run.signalAtOnce('itemNews', news);
	}

	async view(): Promise<BatchView> {
		return (await this.run.query('view')) as BatchView;
	}

	async states(): Promise<Record<string, ItemState>> {
		return Object.fromEntries((await this.view()).items.map(({ name, state }) => [name, state]));
	}
}

export function namesIn({ input }: Pick<Scheduled, 'input'>): string[] {
	return (input['items'] as { name: string }[]).map(({ name }) => name);
}
