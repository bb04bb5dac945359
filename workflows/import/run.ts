import {
	CancellationScope,
	DeterminismViolationError,
	isCancellation,
	log,
	upsertMemo,
	upsertSearchAttributes,
	uuid4,
} from '@temporalio/workflow';
import type { ErrorDocument } from '../../model/errors.ts';
import type { ImportPhase, ImportView } from '../../model/import-view.ts';
import { machineConsistency } from '../../model/source-facts.ts';
import type { CopyResult } from '../../sources/machine/copy-result.ts';
import type { SourceMoment } from '../../sources/machine/documents.ts';
import type { ImportOrder } from '../../sources/machine/order.ts';
import { type Asked, searchAttributes } from '../contracts.ts';
import { cancelledDocument, documentOf, Interruption } from '../failures.ts';
import type { ImportInput } from '../import-contracts.ts';
import { importRequest } from '../lease-requests.ts';
import { type LeaseHolder, leaseHeld, noLeases } from '../lease-state.ts';
import { giveBack, hold } from '../leases.ts';
import { failureOfImport, mayBeginAnew, mostBegun } from './begun-anew.ts';
import { importStubs as steps } from './stubs.ts';

/** What was planned longer ago is planned once more: a point has the time of its order, and disks come and go. */
const planKeepsMs = 60_000;

interface Planned {
	order: ImportOrder;
	repositoryName: string | undefined;
}

/**
 * One import: its steps in the order that docs/architecture.md ("Where machines come from") wants. From the moment on at which its
 * order is known, which is before anything is begun, whatever ends it gives it up.
 */
export class ImportRun implements LeaseHolder {
	readonly leases = noLeases();
	readonly #input: ImportInput;
	readonly #startedAt: Date;
	/** All that is left when it is cancelled; giving it up is not. */
	readonly #working = new CancellationScope();
	readonly #warnings: string[] = [];
	#phase: ImportPhase = 'planning';
	#order: ImportOrder | null = null;
	#moment: SourceMoment | null = null;
	#result: CopyResult | null = null;
	#begunAnew = 0;
	#isImported = false;
	#cancelled: string | null = null;
	#failure: ErrorDocument | null = null;
	#endedMs: number | null = null;

	constructor(input: ImportInput, startedAt: Date) {
		this.#input = input;
		this.#startedAt = startedAt;
	}

	/** To its end, whichever: what it has failed by is in the view. */
	async whole(): Promise<void> {
		try {
			while (!(await this.#once())) this.#begunAnew += 1;
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			this.#fail(error);
			log.warn('the import has failed', { ...this.#failure });
		}
		// Its memo still has it, for as long as it is open: a broker that reads it then finds it closed when somebody waits.
		await giveBack(this, ['import']);
	}

	/** Once: what gives it up may take a day, and changes nothing of why. */
	#fail(error: unknown): void {
		const failure = failureOfImport(error, this.#moment, Date.now());
		this.#failure ??= this.#cancelled === null ? failure : { ...cancelledDocument, message: this.#cancelled };
	}

	/** Nothing more is read, and it is given up, unless its point is there. */
	cancel({ by, reason }: Asked): void {
		if (this.#cancelled !== null || this.#isImported || this.#failure !== null) return;
		this.#cancelled = `cancelled by ${by}${reason ? `: ${reason}` : ''}`;
		log.info('cancelled', { by, reason });
		this.#working.cancel();
	}

	/** What it waits for is left when it is cancelled. */
	async interruptible<T>(work: () => Promise<T>): Promise<T> {
		try {
			return await this.#working.run(work);
		} catch (error) {
			throw isCancellation(error) ? new Interruption('cancel') : error;
		}
	}

	/** Its moment is begun, or about to be: nothing is won by giving that up. */
	leaseTaken(): void {
		this.#publishLeases();
	}

	end(): ImportView {
		this.#endedMs = Date.now();
		this.#enter('over');
		return this.view();
	}

	view(): ImportView {
		const { source, repository, machine } = this.#input;
		const order = this.#order;
		const moment = this.#moment;
		const isOver = this.#endedMs !== null;
		return {
			source,
			repository,
			machine,
			phase: this.#phase,
			startedMs: this.#startedAt.getTime(),
			endedMs: this.#endedMs,
			outcome: isOver ? (this.#isImported ? 'imported' : 'failed') : null,
			restorePoint: order?.time ?? null,
			takenAt: moment?.takenAt ?? null,
			holdUntil: moment?.holdUntil ?? null,
			consistency: this.#consistency,
			disks: this.#disks,
			begunAnew: this.#begunAnew,
			figures: this.#result && { newBytes: this.#result.newBytes, storedBytes: this.#result.storedBytes },
			warnings: [...(order?.plan.warnings ?? []), ...this.#warnings],
			cancelled: this.#cancelled,
			failure: this.#failure,
		};
	}

	/** True when the point is there, false when it is to be begun anew. */
	async #once(): Promise<boolean> {
		this.#moment = null;
		const order = await this.#ordered();
		try {
			this.#result = await this.#copied(order);
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			if (!this.#mayBeginAnew(error)) this.#fail(error);
			if (!(await this.#giveUp(order))) {
				if (!this.#mayBeginAnew(error)) throw error;
				this.#warnings.push(`begun anew: ${documentOf(error).message}`);
				return false;
			}
			// Its point turned out to be there: it is finished, whatever became of the answer.
			this.#failure = null;
		}
		this.#isImported = true;
		this.#warnings.push(...(this.#result?.warnings ?? []));
		await this.#commit(order);
		return true;
	}

	#mayBeginAnew(error: unknown): boolean {
		return this.#cancelled === null && this.#begunAnew + 1 < mostBegun && mayBeginAnew(error, this.#moment);
	}

	/** With its lease, which it has until its end: begun anew, it has it still. Until then nothing is begun that had to be given up. */
	async #ordered(): Promise<ImportOrder> {
		const planned = await this.#planned();
		if (this.#begunAnew === 0) await this.#sweep(planned.order);
		return (await this.#waitsLong(planned)) ? (await this.#planned()).order : planned.order;
	}

	async #planned(): Promise<Planned> {
		this.#enter('planning');
		const { machine } = this.#input;
		const { repositoryName, ...order } = await this.#working.run(() =>
			steps.plan({ places: this.#places, importId: uuid4(), machine }),
		);
		this.#order = order;
		return { order, repositoryName };
	}

	/** For its turn, and whether that took long. One that was planned by an earlier version waits for nobody. */
	async #waitsLong({ order, repositoryName }: Planned): Promise<boolean> {
		if (repositoryName === undefined || leaseHeld(this.leases, 'import')) return false;
		this.#enter('queued');
		const sinceMs = Date.now();
		const { maxRateBytes } = this.#input;
		await hold(this, 'import', asked => importRequest({ ...asked, order, repositoryName, maxRateBytes }));
		this.#publishLeases(); // before anything is begun: a broker that is lost meanwhile learns of it by the memo alone
		return Date.now() - sinceMs > planKeepsMs;
	}

	#publishLeases(): void {
		upsertMemo({ leases: this.leases.held });
	}

	async #sweep(order: ImportOrder): Promise<void> {
		try {
			const { left } = await this.#working.run(() => steps.sweep({ places: this.#places, order }));
			this.#warnings.push(...left.map(what => `left over of ${what}`));
		} catch (error) {
			if (this.#cancelled !== null || error instanceof DeterminismViolationError) throw error;
			this.#warnings.push(`nobody could look what earlier imports have left: ${documentOf(error).message}`);
		}
	}

	/** From here on it may have to be given up: whoever calls this does. */
	async #copied(order: ImportOrder): Promise<CopyResult> {
		const places = this.#places;
		return this.#working.run(async () => {
			this.#enter('beginning');
			const moment = await steps.begin({ places, order });
			this.#moment = moment;
			const withinMs = () =>
				moment.holdUntil === null ? null : Math.max(1, Date.parse(moment.holdUntil) - Date.now());
			this.#enter('waiting');
			await steps.ready({ places, moment }, withinMs());
			this.#enter('copying');
			const { maxRateBytes } = this.#input;
			const how = { withinMs: withinMs(), once: moment.moment === null };
			return steps.copy({ places, order, moment, maxRateBytes }, how);
		});
	}

	/** The import is finished without it: what it would have dropped is left over until the next one. */
	async #commit(order: ImportOrder): Promise<void> {
		this.#enter('committing');
		try {
			await steps.commit({ places: this.#places, order });
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			this.#warnings.push(`its platform was not told that the import is finished: ${documentOf(error).message}`);
		}
	}

	/** True when its point turned out to be there. */
	async #giveUp(order: ImportOrder): Promise<boolean> {
		this.#enter('giving-up');
		try {
			return (await steps.giveUp({ places: this.#places, order })) === 'published';
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			this.#warnings.push(`it could not be given up, and is left over: ${documentOf(error).message}`);
			return false;
		}
	}

	#enter(phase: ImportPhase): void {
		if (phase === this.#phase) return;
		this.#phase = phase;
		upsertSearchAttributes([{ key: searchAttributes.phase, value: phase }]);
	}

	get #places() {
		const { source, repository, repositoryId } = this.#input;
		return { source, repository, repositoryId };
	}

	get #consistency(): ImportView['consistency'] {
		if (this.#moment !== null) return machineConsistency(this.#moment.disks, this.#moment.together);
		return this.#order?.plan.consistency ?? null;
	}

	/** As planned, and once they are copied as they were read. */
	get #disks(): ImportView['disks'] {
		const order = this.#order;
		if (order === null) return [];
		return order.described.disks.map(({ key, sizeBytes }, number) => {
			const { reads, why } = this.#result?.reads[number] ?? order.plan.disks[number] ?? { reads: 'all', why: null };
			return { key, sizeBytes, reads, why };
		});
	}
}
