/** The chunks that a machine read first, by their places in its disks: what a later restore point has there may be other bytes. */
import * as z from 'zod';
import { nameSchema } from '../model/names.ts';

/** 2 GiB of disk at the default: what a machine reads until it is ready is less as a rule. */
export const maxFirstReads = 16_384;

/** Chunks that lie one behind the other: number of the disk, first chunk, how many. */
export type ChunkRun = [disk: number, first: number, count: number];
const runSchema: z.ZodType<ChunkRun, ChunkRun> = z.tuple([
	z.int().min(0).max(63),
	z.int().min(0),
	z.int().min(1).max(maxFirstReads),
]);

/** In the order in which they were read. */
const firstReadsSchema = z
	.array(runSchema)
	.refine(runs => countOf(runs) <= maxFirstReads, { error: `more than ${maxFirstReads} chunks` });
export type FirstReads = z.infer<typeof firstReadsSchema>;

/** What an earlier time has taught, and which. */
export const knownReadsSchema = z.strictObject({
	from: z.strictObject({ drill: nameSchema, at: z.iso.datetime() }),
	reads: firstReadsSchema,
});
export type KnownReads = z.infer<typeof knownReadsSchema>;

/** What `GET /first-reads` of a mount mover answers: null when it was not there from the first read on. */
export const recordedReadsSchema = z.object({ firstReads: firstReadsSchema.nullable() });

export type RecordedReads = z.infer<typeof recordedReadsSchema>;

export interface ChunkPlace {
	/** Number of the disk. */
	disk: number;
	index: number;
}

export function countOf(runs: readonly ChunkRun[]): number {
	return runs.reduce((sum, [, , count]) => sum + count, 0);
}

export function runsOf(places: Iterable<ChunkPlace>): FirstReads {
	const runs: FirstReads = [];
	for (const { disk, index } of places) {
		const last = runs.at(-1);
		if (last && last[0] === disk && last[1] + last[2] === index) last[2] += 1;
		else runs.push([disk, index, 1]);
	}
	return runs;
}

export function* placesOf(runs: FirstReads): Generator<ChunkPlace, void, undefined> {
	for (const [disk, first, count] of runs)
		for (let index = first; index < first + count; index += 1) yield { disk, index };
}
