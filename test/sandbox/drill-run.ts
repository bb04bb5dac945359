import type { DrillPlan, DrillTest } from '../../model/drill.ts';
import type { DrillView } from '../../model/drill-view.ts';
import type { DrilledMachineResult } from '../../workflows/drill-contracts.ts';
import { batchPlan } from '../equipment/batch-site.ts';
import { toPayload } from '../equipment/payloads.ts';
import type { StartedChild } from '../equipment/sandbox-outside.ts';
import type { Sandbox, SandboxRun } from '../equipment/sandbox.ts';
import { SandboxBatch } from './batch-run.ts';

export const echo: DrillTest = { name: 'echo', check: { by: 'agent', command: ['echo', 'hello'] }, timeoutMs: 60_000 };

export function drillPlan(...how: Parameters<typeof batchPlan>): DrillPlan {
	const batch = batchPlan(...how);
	const tests = Object.fromEntries(batch.items.map(({ name }) => [name, [echo]]));
	return {
		batch: { ...batch, common: { ...batch.common, drill: { name: 'site' } } },
		tests,
		withinMs: 3_600_000,
		keep: 3,
	};
}

/** A drill in the sandbox, and the answers of the world around it. */
export class SandboxDrill {
	readonly run: SandboxRun;
	readonly batch: SandboxBatch;

	private constructor(run: SandboxRun) {
		this.run = run;
		this.batch = SandboxBatch.of(run);
	}

	static async start(sandbox: Sandbox, plan: DrillPlan): Promise<SandboxDrill> {
		const drill = new SandboxDrill(await sandbox.start('drill', [{ plan }], 'drill/site'));
		await drill.batch.settle();
		return drill;
	}

	recoveries(): string[] {
		return this.run.outside.children
			.filter(({ type }) => type === 'recovery')
			.map(({ workflowId }) => workflowId.slice(9));
	}

	/** Tests of this machine. */
	testing(name: string): StartedChild {
		const child = this.run.outside.children.findLast(({ workflowId }) => workflowId === `drilled/site/${name}`);
		if (child === undefined) throw new Error(`${name} is not tested`);
		return child;
	}

	async ready(...names: string[]): Promise<void> {
		await this.batch.news('ready', names);
		await this.batch.settle();
	}

	async tested(name: string, result: DrilledMachineResult = { passed: true, reason: null }): Promise<void> {
		const { seq } = this.testing(name);
		const completed = { result: toPayload(result) };
		await this.run.activate([{ resolveChildWorkflowExecution: { seq, result: { completed } } }]);
		await this.batch.settle();
	}

	/** Its tests have ended because they were cancelled. */
	async untested(name: string): Promise<void> {
		const { seq, workflowId, type } = this.testing(name);
		const failure = {
			message: 'child cancelled',
			cause: { message: 'cancelled', canceledFailureInfo: {} },
			childWorkflowExecutionFailureInfo: { workflowExecution: { workflowId }, workflowType: { name: type } },
		};
		await this.run.activate([{ resolveChildWorkflowExecution: { seq, result: { cancelled: { failure } } } }]);
	}

	/** Who was told that it is thrown away; each hears it, or is not there. */
	async thrownAway(arrived = true): Promise<string[]> {
		const sent = this.run.outside.sent.filter(({ signal }) => signal === 'takeBack');
		for (const each of sent) await this.run.arrive(each, arrived);
		return sent.map(({ workflowId }) => workflowId.slice(9));
	}

	gone(...names: string[]): Promise<void> {
		return this.batch.news('ended', names, { phase: 'discarded' });
	}

	async view(): Promise<DrillView> {
		return (await this.run.query('view')) as DrillView;
	}

	async stages(): Promise<Record<string, string>> {
		return Object.fromEntries((await this.view()).machines.map(({ name, stage }) => [name, stage]));
	}
}
