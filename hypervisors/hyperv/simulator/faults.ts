import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { breaks, type RuleName, rules, WindowsError } from './rules.ts';

/** What happens at a point. A `hold` lasts until its point is released. */
export const faultActionSchema = z.discriminatedUnion('kind', [
	z.strictObject({ kind: z.literal('fail'), rule: z.enum(Object.keys(rules) as [RuleName, ...RuleName[]]) }),
	z.strictObject({ kind: z.literal('hresult'), hresult: z.string() }),
	/** The session of whoever asked is gone; the work is not done when this happens before it. */
	z.strictObject({ kind: z.literal('drop') }),
	z.strictObject({ kind: z.literal('power-loss') }),
	z.strictObject({ kind: z.literal('delay'), ms: z.int().min(0) }),
	z.strictObject({ kind: z.literal('hold') }),
]);
export type FaultAction = z.infer<typeof faultActionSchema>;

/** How the host is, as somebody outside decides, until it is changed. */
export const conditionsSchema = z.strictObject({
	/** Of the drives: what no file can grow beyond. */
	freeBytes: z.int().min(0),
	memoryMiB: z.int().min(0),
	/** UBR: raised by each cumulative update. */
	updateRevision: z.int().min(0),
	/** No machine resumes from its saved state. */
	savedStateUnusable: z.boolean(),
	/** SAN policy `OfflineShared`, Server's own: a new iSCSI disk comes up offline and read-only. */
	newDisksOffline: z.boolean(),
	/** A machine in critical pause goes on by itself when its storage is back. */
	resumesByItself: z.boolean(),
	/** AutomaticCriticalErrorActionTimeout: after it a machine in critical pause is turned off. */
	criticalTimeoutMs: z.int().min(0),
	/** A guest that is asked to shut down does. */
	guestsHeedShutdown: z.boolean(),
	/** Merge-VHD gives the parent another DataWriteGuid before its first write, and not after the last. */
	mergeChangesIdFirst: z.boolean(),
	/** What a checkpoint leaves goes into a new file, and the machine gets that. */
	checkpointsMergeElsewhere: z.boolean(),
	/** Get-VHD of a differencing disk fails where its parent is away or was written to. */
	brokenLinksAreUntold: z.boolean(),
	/** Files of these directories are closed to machines' accounts, whatever is granted. */
	deniedPaths: z.array(z.string()),
});
export type Conditions = z.infer<typeof conditionsSchema>;

const usualConditions: Conditions = {
	freeBytes: 2 ** 40,
	memoryMiB: 64 * 1024,
	updateRevision: 2700,
	savedStateUnusable: false,
	newDisksOffline: true,
	resumesByItself: true,
	criticalTimeoutMs: 30 * 24 * 60 * 60 * 1000,
	guestsHeedShutdown: false,
	mergeChangesIdFirst: false,
	checkpointsMergeElsewhere: false,
	brokenLinksAreUntold: false,
	deniedPaths: [],
};

/** The session was lost: nobody is told what came of the request. */
export class SessionDropped extends Error {
	override readonly name = 'SessionDropped';
}

/**
 * What goes wrong, by point: the name of a cmdlet when it begins (`Set-VHD`), the name with ` done` when its work is done, and
 * `op start`, `op start done` of a request.
 */
export class WindowsFaults {
	conditions: Conditions = { ...usualConditions };
	readonly #at = new Map<string, { action: FaultAction; left: number }[]>();
	readonly #held = new Map<string, (() => void)[]>();
	readonly #losePower: () => void;

	constructor(losePower: () => void) {
		this.#losePower = losePower;
	}

	at(point: string, action: FaultAction, { times = 1 }: { times?: number } = {}): void {
		const known = this.#at.get(point);
		if (known) known.push({ action, left: times });
		else this.#at.set(point, [{ action, left: times }]);
	}

	change(conditions: Partial<Conditions>): void {
		this.conditions = { ...this.conditions, ...conditions };
	}

	release(point: string): void {
		for (const go of this.#held.get(point) ?? []) go();
		this.#held.delete(point);
	}

	/** Nothing is wrong any more. */
	mend(): void {
		this.#at.clear();
		for (const point of this.#held.keys()) this.release(point);
		this.conditions = { ...usualConditions };
	}

	/** How many wait there. */
	heldAt(point: string): number {
		return this.#held.get(point)?.length ?? 0;
	}

	async reach(point: string, cmdlet: string): Promise<void> {
		const fault = this.#at.get(point)?.find(({ left }) => left > 0);
		if (fault === undefined) return;
		fault.left -= 1;
		const { action } = fault;
		switch (action.kind) {
			case 'fail':
				throw breaks(action.rule, cmdlet, 'As the test has it.');
			case 'hresult':
				throw new WindowsError({ hresult: action.hresult, cmdlet }, `${cmdlet}: as the test has it.`);
			case 'drop':
				throw new SessionDropped(`dropped at ${point}`);
			case 'power-loss':
				this.#losePower();
				throw new SessionDropped(`power lost at ${point}`);
			case 'delay':
				return await delay(action.ms);
			case 'hold': {
				const { promise, resolve } = Promise.withResolvers<void>();
				this.#held.set(point, [...(this.#held.get(point) ?? []), resolve]);
				return await promise;
			}
		}
	}
}
