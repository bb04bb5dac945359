import {
	CancellationScope,
	DeterminismViolationError,
	isCancellation,
	log,
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
import { cancelledDocument, documentOf, failureOf, Interruption } from '../failures.ts';
import type { ImportInput } from '../import-contracts.ts';
import { importRequest } from '../lease-requests.ts';
import { failureOfImport, isPassing, mayBeginAnew, mostBegun } from './begun-anew.ts';
import { importStubs as steps } from './stubs.ts';
import { type InTurn, ImportTurn } from './turn.ts';

/** What was planned longer ago is planned once more: a point has the time of its order, and disks come and go. */
const planKeepsMs = 60_000;

/** What its platform has not at hand by then takes a cloud an hour: it overflows nowhere, and others have their turn meanwhile. */
const soonAtHandMs = 60_000;

interface Planned {
	order: ImportOrder;
	repositoryName: string | undefined;
}

/**
 * One import: its steps in the order that docs/architecture.md ("Where machines come from") wants. From the moment on at which its
 * order is known, which is before anything is begun, whatever ends it gives it up.
 */
export class ImportRun {
	readonly turn = new ImportTurn({
		interruptible: work => this.#interruptible(work),
		lost: () => this.#lost(),
		enter: phase => this.#enter(phase),
	});
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
		await this.turn.giveBack();
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
	async #interruptible<T>(work: () => Promise<T>): Promise<T> {
		try {
			return await this.#working.run(work);
		} catch (error) {
			throw isCancellation(error) ? new Interruption('cancel') : error;
		}
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
			queuedAgain: this.#phase === 'queued' ? this.turn.again : null,
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

	/** With its turn. Until then nothing is begun that had to be given up. */
	async #ordered(): Promise<ImportOrder> {
		const { order, repositoryName } = await this.#planned();
		if (this.#begunAnew === 0) await this.#sweep(order);
		// One that was planned by an earlier version waits for nobody.
		if (repositoryName === undefined) return order;
		const { maxRateBytes } = this.#input;
		const waitedMs = await this.turn.wait(asked => importRequest({ ...asked, order, repositoryName, maxRateBytes }));
		if (waitedMs <= planKeepsMs) return order;
		return (await this.turn.step(({ inTurn }) => this.#planned(inTurn && { inTurn }))).order;
	}

	async #planned(how: Pick<InTurn, 'inTurn'> = {}): Promise<Planned> {
		this.#enter('planning');
		const { machine } = this.#input;
		const { repositoryName, ...order } = await this.#working.run(() =>
			steps.plan({ places: this.#places, importId: uuid4(), machine, ...how }),
		);
		this.#order = order;
		return { order, repositoryName };
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
		const moment = await this.turn.step(({ inTurn }) => {
			this.#enter('beginning');
			return this.#working.run(() => steps.begin({ places, order, ...(inTurn && { inTurn }) }));
		});
		this.#moment = moment;
		await this.#atHand(moment);
		const { maxRateBytes } = this.#input;
		const once = moment.moment === null;
		const copy = (how: InTurn) => {
			this.#enter('copying');
			const input = { places, order, moment, maxRateBytes, ...how };
			return this.#working.run(() => steps.copy(input, { withinMs: this.#withinMs(), once }));
		};
		// Its attempts are counted by themselves, and nobody goes on with one of a moment that has no name.
		return once ? copy({}) : this.turn.step(copy, Infinity);
	}

	/** What takes long is waited for without its turn, which is then waited for anew. */
	async #atHand(moment: SourceMoment): Promise<void> {
		this.#enter('waiting');
		const ready = (withinMs: number | null) =>
			this.#working.run(() => steps.ready({ places: this.#places, moment }, withinMs));
		if (!this.turn.isHeld) return ready(this.#withinMs());
		try {
			await ready(Math.min(this.#withinMs() ?? soonAtHandMs, soonAtHandMs));
		} catch (error) {
			if (!isPassing(error) || (this.#withinMs() ?? 1) <= 0) throw error;
			await this.turn.giveBack();
			await ready(this.#withinMs());
			await this.turn.waitAgain('its platform had the moment not at hand at once');
		}
	}

	/** Why its moment, which nobody reads, is no more; null while it is there, or none is begun. What a guest overwrites may fill a disk. */
	async #lost(): Promise<unknown> {
		const moment = this.#moment;
		if (moment === null) return null;
		if ((this.#withinMs() ?? 1) <= 0) {
			const message = `its platform kept its state until ${moment.holdUntil}, and it had no other turn by then: ${this.turn.again}`;
			return failureOf({ code: 'moment_lost', message });
		}
		try {
			await this.#working.run(() => steps.ready({ places: this.#places, moment }, soonAtHandMs));
			return null;
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			return documentOf(error).code === 'moment_lost' ? error : null;
		}
	}

	/** As long as its platform keeps its moment, null: as long as it takes. */
	#withinMs(): number | null {
		const until = this.#moment?.holdUntil ?? null;
		return until === null ? null : Date.parse(until) - Date.now();
	}

	/** The import is finished without it: what it would have dropped is left over until the next one. */
	async #commit(order: ImportOrder): Promise<void> {
		this.#enter('committing');
		const told = this.turn.giveBack();
		try {
			await steps.commit({ places: this.#places, order });
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			this.#warnings.push(`its platform was not told that the import is finished: ${documentOf(error).message}`);
		}
		await told;
	}

	/** True when its point turned out to be there. */
	async #giveUp(order: ImportOrder): Promise<boolean> {
		this.#enter('giving-up');
		const told = this.turn.giveBack();
		try {
			return (await steps.giveUp({ places: this.#places, order })) === 'published';
		} catch (error) {
			if (error instanceof DeterminismViolationError) throw error;
			this.#warnings.push(`it could not be given up, and is left over: ${documentOf(error).message}`);
			return false;
		} finally {
			await told;
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
