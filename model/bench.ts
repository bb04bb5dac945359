/** What `rouse bench` answers, and what docs/performance.md is made of. */
import * as z from 'zod';

export const benchRowNames = [
	'migration',
	'export',
	'import-first',
	'import-second',
	'import-memory',
	'nbd-restored-1',
	'nbd-restored-16',
	'nbd-restored-sequential',
	'serve-1',
	'serve-16',
	'serve-pass',
	'guest-pass',
	'guest-p99-restored',
	'guest-p99-others',
	'repository-size',
	'index-time',
	'index-memory',
	'mover-memory',
	'recovery-memory',
] as const;
export const benchRowNameSchema = z.enum(benchRowNames);
export type BenchRowName = z.infer<typeof benchRowNameSchema>;

/** One by its name, or all that begin so, as `import`. */
export function benchRowsAsked(name: string): BenchRowName[] {
	return benchRowNames.filter(row => row === name || row.startsWith(`${name}-`));
}

/** What may be asked for: each row, and each beginning that several have in common. */
export function benchRowsAskable(): string[] {
	const beginnings = benchRowNames.flatMap(name => {
		const parts = name.split('-').slice(0, -1);
		return parts.map((_, last) => parts.slice(0, last + 1).join('-'));
	});
	return [...benchRowNames, ...new Set(beginnings.filter(beginning => benchRowsAsked(beginning).length > 1))];
}

/** `dense` has no block of zeros: that is what counts. `whole` is a disk with partition table, file system and free space. */
const benchImageNameSchema = z.enum(['dense', 'whole']);
export type BenchImageName = z.infer<typeof benchImageNameSchema>;

const benchUnitSchema = z.enum(['s', 'reads/s', 'MiB/s', 'MiB', 'us']);
export type BenchUnit = z.infer<typeof benchUnitSchema>;

const figure = z.number();
const spreadSchema = z.object({ median: figure, least: figure, most: figure });
export type Spread = z.infer<typeof spreadSchema>;

/** Of one side; medians of its runs beside the value. */
const benchSideSchema = z.object({
	value: spreadSchema,
	/** User and system, of the processes that are measured and all that they started. */
	cpuSeconds: figure,
	/** Proportional set size of the same, looked at while it runs; null where the row does not look. */
	peakMiB: figure.nullable(),
});
export type BenchSide = z.infer<typeof benchSideSchema>;

/** What is aimed at: of the ratio to the peer, or of our own value; and whether it is to be at least or at most so. */
const benchTargetsSchema = z.object({
	of: z.enum(['ratio', 'value']),
	wants: z.enum(['least', 'most']),
	commit: figure,
	stretch: figure,
});
export type BenchTargets = z.infer<typeof benchTargetsSchema>;

const benchReachedSchema = z.enum(['stretch', 'commit', 'no']);
export type BenchReached = z.infer<typeof benchReachedSchema>;

export const benchResultSchema = z.object({
	row: benchRowNameSchema,
	image: benchImageNameSchema,
	title: z.string(),
	/** What ours is held against; null: nothing. */
	peer: z.string().nullable(),
	unit: benchUnitSchema,
	/** Ours and the peer in turn. */
	pairs: z.int().min(1),
	ours: benchSideSchema,
	theirs: benchSideSchema.nullable(),
	/** Of each pair; above 1 ours is faster, or, of memory and sizes, larger. Null without a peer. */
	ratio: spreadSchema.nullable(),
	targets: benchTargetsSchema.nullable(),
	/** Null where there is no target. Of a quick run it means nothing. */
	reached: benchReachedSchema.nullable(),
	/** Bytes of the image, and whether it was a quick run. */
	imageBytes: z.int(),
	measuredAt: z.iso.datetime(),
	/** Of this checkout, with `-dirty` where it had changes that no commit has; null outside of git. */
	commit: z.string().nullable(),
	/** Load of the machine before and after (the average of a minute). */
	load: z.tuple([figure, figure]),
});
export type BenchResult = z.infer<typeof benchResultSchema>;

export const benchMachineSchema = z.object({
	processor: z.string(),
	cores: z.int(),
	memoryBytes: z.int(),
	kernel: z.string(),
	node: z.string(),
	/** Versions of the peers, by their programs. */
	peers: z.record(z.string(), z.string()),
});
export type BenchMachine = z.infer<typeof benchMachineSchema>;

export const benchDocumentSchema = z.object({
	/** Small and once: for its correctness, the figures say nothing. */
	quick: z.boolean(),
	machine: benchMachineSchema,
	results: z.array(benchResultSchema),
});
export type BenchDocument = z.infer<typeof benchDocumentSchema>;
