/** How an import from a machine source stands, for people and programs. */
import * as z from 'zod';
import type { ErrorDocument } from './errors.ts';
import type { Consistency } from './source-facts.ts';

/**
 * `queued`: it waits for its turn among the imports of its repository, also once more after it has begun. `waiting`: its moment is taken, and the platform has it not
 * at hand yet. `over`: see the outcome.
 */
export type ImportPhase =
	| 'planning'
	| 'queued'
	| 'beginning'
	| 'waiting'
	| 'copying'
	| 'committing'
	| 'giving-up'
	| 'over';

/** How far its copy is; figures of this attempt, but for how much is done. */
export const importProgressSchema = z.strictObject({
	/** Of all disks, whether read, unchanged or zero. */
	doneBytes: z.int().min(0),
	totalBytes: z.int().min(0),
	/** Of the source. */
	readBytes: z.int().min(0),
	/** That the repository did not know, before compression. */
	newBytes: z.int().min(0),
	/** Reads of the last seconds. */
	rateBytes: z.int().min(0),
	/** Null as long as nobody can tell. */
	etaMs: z.int().min(0).nullable(),
});
export type ImportProgress = z.infer<typeof importProgressSchema>;

/** What the heartbeats of a copy carry, from each of its attempts to the next one. */
export const copyBeatSchema = z.object({
	/** Of the latest attempt that has told any. */
	progress: importProgressSchema.nullable(),
	/** How far one has come that has read something, and the latest one that came further than those before. */
	furthestBytes: z.int().min(0),
	furthestAttempt: z.int().min(0),
	/** Since when none has come further in this turn, where others wait for it. */
	sinceMs: z.int().min(0).optional(),
	/** Attempts of earlier turns that have come no further since. */
	inVain: z.int().min(0).optional(),
	/** Where each attempt reads anew: those that have read something, and how much of its disks together. */
	anew: z.object({ attempts: z.int().min(0), readBytes: z.int().min(0) }).optional(),
});
export type CopyBeat = z.infer<typeof copyBeatSchema>;

export interface ImportedDisk {
	key: string;
	sizeBytes: number;
	reads: 'changes' | 'all';
	/** Of `all`, why not the changes alone. */
	why: string | null;
}

/** Of one that is over, its workflow's result is the last of these. */
export interface ImportView {
	/** Name of the source in config.yaml. */
	source: string;
	/** Directory of the repository. */
	repository: string;
	machine: string;
	phase: ImportPhase;
	startedMs: number;
	endedMs: number | null;
	/** Null until it is over, and until then nobody can say. */
	outcome: 'imported' | 'failed' | null;
	/** Full time of the point that is made, or would have been; null until it is planned. */
	restorePoint: string | null;
	/** When the moment was taken. */
	takenAt: string | null;
	/** Until when its platform keeps the moment. */
	holdUntil: string | null;
	consistency: Consistency | null;
	disks: ImportedDisk[];
	/** While it is `queued` once more, why: by what it came no further when it had its turn; else null. */
	queuedAgain: string | null;
	/** How often it was begun anew: its moment had no name, or the machine changed its disks. */
	begunAnew: number;
	/** Of the attempt that made the point; null until then, and when an attempt made it of which nobody has heard. */
	figures: { newBytes: number; storedBytes: number } | null;
	warnings: string[];
	/** Who has cancelled it, and why. */
	cancelled: string | null;
	failure: ErrorDocument | null;
}
