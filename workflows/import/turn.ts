import { ApplicationFailure, ActivityFailure, sleep, upsertMemo, workflowInfo } from '@temporalio/workflow';
import * as z from 'zod';
import { type CopyBeat, copyBeatSchema, type ImportPhase } from '../../model/import-view.ts';
import { documentOf, failureOf, Interruption } from '../failures.ts';
import { type LeaseHolder, leaseHeld, noLeases } from '../lease-state.ts';
import { giveBack, hold, type MakeRequest } from '../leases.ts';

/** What one step has come no further for, with the pauses between: a day. */
const mostTurns = 72;

/** A moment that nobody reads is looked at as often as attempts at it would have done. */
const lookEveryMs = 5 * 60_000;

/** Events: Temporal ends what has 51,200, and then nobody would give up what was begun. */
const longestHistory = 40_000;

/** What activities/import/stalled.ts puts behind the document of a failure. */
const stallSchema = z.object({ pauseMs: z.int().min(0), beat: copyBeatSchema.optional() });

/** What a step is told that has a turn: it comes back when it comes no further; `before`: how far it came in earlier turns. */
export interface InTurn {
	inTurn?: true;
	before?: CopyBeat;
}

/** Of the import whose turn it is. */
interface Taker extends Pick<LeaseHolder, 'interruptible'> {
	/** Why the moment that it has begun is no more; null: there is none, or it is there still. */
	lost: () => Promise<unknown>;
	enter: (phase: ImportPhase) => void;
}

/**
 * The turn of an import among those of its repository: it is waited for before anything is begun, left by a step that comes no
 * further, so that others have theirs, and given back when nothing more is read.
 */
export class ImportTurn implements LeaseHolder {
	readonly leases = noLeases();
	readonly #taker: Taker;
	/** As long as it is null the import has none to wait for. */
	#request: MakeRequest | null = null;
	#again: string | null = null;
	#isPublished = false;
	#lookedMs = 0;
	/** Why it is of no use to wait any longer. */
	#over: unknown = null;

	constructor(taker: Taker) {
		this.#taker = taker;
	}

	/** Whoever waits does it for some minutes at a time, and looks between two whether that is of any use still. */
	async interruptible<T>(work: () => Promise<T>): Promise<T> {
		this.#over ??= await this.#whyOver();
		if (this.#over !== null) throw new Interruption('stale');
		return this.#taker.interruptible(work);
	}

	async #whyOver(): Promise<unknown> {
		if (workflowInfo().historyLength > longestHistory)
			return failureOf({ code: 'timeout', message: 'it has waited for its turn for weeks' });
		if (Date.now() - this.#lookedMs < lookEveryMs) return null;
		this.#lookedMs = Date.now();
		return this.#taker.lost();
	}

	/** Its moment is begun, or about to be: nothing is won by giving that up. */
	leaseTaken(): void {
		this.#publish();
	}

	/** Why it waits for one once more; null where it waits for the first. */
	get again(): string | null {
		return this.#again;
	}

	get isHeld(): boolean {
		return leaseHeld(this.leases, 'import') !== undefined;
	}

	/** How long that took. */
	async wait(request: MakeRequest): Promise<number> {
		this.#request = request;
		const sinceMs = Date.now();
		await this.#wait(request);
		return Date.now() - sinceMs;
	}

	/** Once more, behind all that wait by now. */
	async waitAgain(why: string): Promise<void> {
		if (this.#request === null) return;
		this.#again = why;
		this.#lookedMs = Date.now();
		await this.#wait(this.#request);
	}

	/** A step that others wait for: while it comes no further they have their turn. */
	async step<T>(take: (how: InTurn) => Promise<T>, most = mostTurns): Promise<T> {
		const request = this.#request;
		if (request === null) return take({});
		let before: CopyBeat | undefined;
		for (let turns = 1; ; turns += 1) {
			try {
				return await take({ inTurn: true, ...(before && { before }) });
			} catch (error) {
				const stall = stallOf(error);
				if (stall === undefined || turns >= most) throw error;
				before = stall.beat;
				await this.#leave(stall.pauseMs, documentOf(error).message);
				await this.#wait(request);
			}
		}
	}

	/** Its memo tells at once: a broker that comes up empty reads it for as long as the import is open. */
	async giveBack(): Promise<void> {
		const told = giveBack(this, ['import']);
		if (this.#isPublished) this.#publish();
		await told;
	}

	async #leave(pauseMs: number, why: string): Promise<void> {
		this.#again = why;
		this.#lookedMs = Date.now();
		this.#taker.enter('queued');
		await this.giveBack();
		await this.#orOver(() => this.#pause(pauseMs));
	}

	async #pause(ms: number): Promise<void> {
		for (let restMs = ms; restMs > 0; restMs -= lookEveryMs)
			await this.interruptible(() => sleep(Math.min(restMs, lookEveryMs)));
	}

	async #orOver(waiting: () => Promise<unknown>): Promise<void> {
		try {
			await waiting();
		} catch (error) {
			throw this.#over ?? error;
		}
	}

	async #wait(request: MakeRequest): Promise<void> {
		this.#taker.enter('queued');
		await this.#orOver(() => hold(this, 'import', request));
		this.#again = null;
		this.#publish(); // before anything is begun: a broker that is lost meanwhile learns of it by the memo alone
	}

	#publish(): void {
		this.#isPublished = this.leases.held.length > 0;
		upsertMemo({ leases: this.leases.held });
	}
}

function stallOf(error: unknown): z.infer<typeof stallSchema> | undefined {
	if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) return undefined;
	return stallSchema.safeParse(error.cause.details?.[1]).data;
}
