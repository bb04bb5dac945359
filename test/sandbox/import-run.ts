import type { ImportView } from '../../model/import-view.ts';
import type { SourceMoment } from '../../sources/machine/documents.ts';
import type { ImportOrder } from '../../sources/machine/order.ts';
import { copied, importInput, importMoment, importOrder, importWorkflow } from '../equipment/import-documents.ts';
import { activityFailure, toPayloads } from '../equipment/payloads.ts';
import { SandboxBroker } from '../equipment/sandbox-broker.ts';
import type { Sandbox, SandboxRun } from '../equipment/sandbox.ts';

/** RetryState of temporal/api/enums/v1/workflow.proto: TIMEOUT, MAXIMUM_ATTEMPTS_REACHED. */
const retryStates = { 'out of time': 3, 'last attempt': 4 } as const;

/** An import in the sandbox, whose steps are answered by hand. */
export class SandboxImport {
	readonly run: SandboxRun;
	readonly broker = new SandboxBroker();

	private constructor(run: SandboxRun) {
		this.run = run;
	}

	static async start(sandbox: Sandbox, input: object = importInput): Promise<SandboxImport> {
		return new SandboxImport(await sandbox.start('importMachine', [input], importWorkflow));
	}

	/** The order of the import id that the workflow has chosen; `repositoryName` is what the broker knows the repository by. */
	async planned(changes: Partial<ImportOrder> = {}, repositoryName?: string): Promise<ImportOrder> {
		const order = importOrder(String(this.run.pending('planImport').input['importId']), changes);
		await this.run.complete('planImport', { ...order, ...(repositoryName === undefined ? {} : { repositoryName }) });
		return order;
	}

	async swept(left: readonly string[] = []): Promise<void> {
		await this.run.complete('sweepImports', { ended: 0, left });
	}

	/** It has asked its broker. */
	async queued(): Promise<ImportOrder> {
		const order = await this.planned({}, 'main');
		await this.swept();
		await this.broker.hear(this.run);
		return order;
	}

	async begun(order: ImportOrder, changes: Partial<SourceMoment> = {}): Promise<void> {
		await this.run.complete('beginImport', importMoment(order, changes));
	}

	/** Up to its copy. */
	async copying(changes: Partial<SourceMoment> = {}): Promise<ImportOrder> {
		const order = await this.planned();
		if (this.run.pendingTypes().includes('sweepImports')) await this.swept();
		await this.begun(order, changes);
		await this.run.complete('awaitMoment');
		return order;
	}

	async imported(): Promise<void> {
		await this.copying();
		await this.run.complete('copyImport', copied);
		await this.run.complete('commitImport');
	}

	/** It came no further, and leaves its turn to others. */
	async stalls(type: string, stall: object = {}): Promise<void> {
		const { seq } = this.run.pending(type);
		const document = { code: 'source_unreachable', message: 'connection reset' };
		const failed = activityFailure(type, seq, document);
		const details = { payloads: toPayloads([document, { pauseMs: 300_000, ...stall }]) };
		const applicationFailureInfo = { ...failed.cause.applicationFailureInfo, details };
		const failure = { ...failed, cause: { ...failed.cause, applicationFailureInfo } };
		await this.run.activate([{ resolveActivity: { seq, result: { failed: { failure } } } }]);
	}

	/** An attempt has failed by what may pass, and there is no other one. */
	async attemptEnds(type: string, why: keyof typeof retryStates): Promise<void> {
		const { seq } = this.run.pending(type);
		const failed = activityFailure(type, seq, { code: 'source_unreachable', message: 'connection reset' });
		const { activityFailureInfo, cause } = failed;
		const failure = {
			...failed,
			cause: { ...cause, applicationFailureInfo: { ...cause.applicationFailureInfo, nonRetryable: false } },
			activityFailureInfo: { ...activityFailureInfo, retryState: retryStates[why] },
		};
		await this.run.activate([{ resolveActivity: { seq, result: { failed: { failure } } } }]);
	}

	async view(): Promise<ImportView> {
		return (await this.run.query('view')) as ImportView;
	}

	get result(): ImportView {
		return this.run.result as ImportView;
	}

	/** The steps so far. */
	get steps(): string[] {
		return this.run.scheduled.map(({ type }) => type);
	}
}
