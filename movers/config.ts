/**
 * What the movers are started with (`node movers/<mover>/main.ts CONFIG.json`) and what their control sockets answer.
 * The supervisor writes the one and asks for the other; both sides parse with these schemas.
 */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { diskImageSchema, digestSchema } from '../model/chunk.ts';
import { errorDocumentSchema } from '../model/error-document.ts';
import { RouseError } from '../model/errors.ts';
import { refusalText } from '../model/issue-text.ts';
import { knownReadsSchema } from './first-reads.ts';
import { fitsSocket, socketPathProblem } from '../system/socket-path.ts';
import { volumeFilesSchema } from '../volume/disk-files.ts';

const absolutePath = z.string().regex(/^\//, 'must be an absolute path');
const socketPath = absolutePath.refine(fitsSocket, { error: issue => socketPathProblem(String(issue.input)) });
const diskName = z.string().regex(/^disk(0|[1-9]\d?)$/);

/** The disk on the host that is filled and in the end is the machine's, as its platform presents it. */
const moverTargetSchema = z.strictObject({
	/** A file, or a block device. */
	path: absolutePath,
	/** The target's own, whatever path leads to it; `file-…` is compared with what was opened (system/file-identity.ts). */
	identity: z.string().regex(/^[\x21-\x7e]{1,64}$/),
	/** Where the disk's first byte lies in it. */
	offsetBytes: z.int().min(0).multipleOf(512),
});
export type MoverTarget = z.infer<typeof moverTargetSchema>;

const moverDiskSchema = z.strictObject({
	name: diskName,
	image: diskImageSchema,
	target: moverTargetSchema,
	/** The restored map: says which chunks the target holds. */
	mapPath: absolutePath,
});
export type MoverDisk = z.infer<typeof moverDiskSchema>;

/** For how long nobody must have used a mover before it asks itself whether it is needed any more (left-alone.ts). */
const aloneMs = z.int().min(100).default(60_000);

/** A repository mover of another host (`rouse repo serve`), and the files with what it is to be shown. */
export const chunkServiceSchema = z.strictObject({
	host: z.string().min(1),
	port: z.int().min(1).max(65_535),
	/** What the mover is known by. */
	authority: absolutePath,
	certificate: absolutePath,
	key: absolutePath,
	/** Of the recovery: opens its restore point alone. */
	token: absolutePath,
	/** A connection that says nothing for so long is opened anew; a mover that is there says so more often (repository-mover/protocol/wire.ts). */
	silenceMs: z.int().min(100).default(10_000),
});
export type ChunkService = z.infer<typeof chunkServiceSchema>;

const ofChunks = {
	/** The repository mover's, where it is on this host; else `chunkService`. */
	chunkSocket: socketPath.optional(),
	chunkService: chunkServiceSchema.optional(),
};
export interface MoverConfigOfChunks {
	chunkSocket?: string | undefined;
	chunkService?: ChunkService | undefined;
}

function namesOneMover({ chunkSocket, chunkService }: MoverConfigOfChunks): boolean {
	return (chunkSocket === undefined) !== (chunkService === undefined);
}
const oneMover = { error: 'say either chunkSocket or chunkService' };

/** One per repository. */
export const repositoryMoverConfigSchema = z.strictObject({
	repository: absolutePath,
	chunkSocket: socketPath,
	controlSocket: socketPath,
	/** Where the directories of the host's recoveries are: while a mover of one of them runs, this one is needed. */
	recoveries: absolutePath,
	aloneMs,
});
/** What is read of it by who looks for movers: the one that runs may have been started by another version. */
export const repositoryOfMoverSchema = z.object({ repository: absolutePath });
export type RepositoryMoverConfig = z.infer<typeof repositoryMoverConfigSchema>;

/** One per recovery: serves the restore point's disks to the running guest. */
export const mountMoverConfigSchema = z
	.strictObject({
		recoveryId: z.uuid(),
		disks: z.array(moverDiskSchema).min(1).max(64),
		nbdSocket: socketPath,
		controlSocket: socketPath,
		...ofChunks,
		/** The migration mover's; chunks that the guest asked for are offered there. */
		offerSocket: socketPath,
		/** Bound of the chunks kept in memory. */
		cacheBytes: z.int().min(0),
		/** With it there is an export `volume` too. */
		volume: volumeFilesSchema.optional(),
		/** It is started before its machine: what that reads first is noted, for who asks. */
		recordsFirstReads: z.boolean().default(false),
		/** What the machine has read first at an earlier time: fetched ahead of it. */
		firstReads: knownReadsSchema.optional(),
		aloneMs,
	})
	.refine(namesOneMover, oneMover);
export type MountMoverConfig = z.infer<typeof mountMoverConfigSchema>;

/** One per recovery: the only process that opens targets for writing. */
export const migrationMoverConfigSchema = z
	.strictObject({
		recoveryId: z.uuid(),
		disks: z.array(moverDiskSchema).min(1).max(64),
		controlSocket: socketPath,
		offerSocket: socketPath,
		...ofChunks,
		/** A disk that lacks more is copied by threads. */
		threadsAboveBytes: z.int().min(0).optional(),
		aloneMs,
	})
	.refine(namesOneMover, oneMover);
export type MigrationMoverConfig = z.infer<typeof migrationMoverConfigSchema>;

/** A chunk whose bytes did not match its digest wherever they were found. */
const badChunkSchema = z.object({
	disk: diskName,
	/** Position in the disk, in chunks; for a page of the disk's map the first chunk that it describes. */
	index: z.int().min(0),
	digest: digestSchema,
	packId: z.string(),
});
export type BadChunk = z.infer<typeof badChunkSchema>;

const counter = z.int().min(0);

/** `GET /state` of a repository mover. Answers are read for what is known of them: the other side may be newer. */
export const repositoryMoverStateSchema = z.object({
	repository: z.string(),
	/** Requests being answered now. */
	active: z.object({ mount: counter, ahead: counter.default(0), migration: counter }),
	/** Since the process started. */
	served: z.object({ requests: counter, chunks: counter, storedBytes: counter }),
	/** What all may read of it in a second, as it lies there; 0 is unlimited. */
	maxRateBytes: counter.default(0),
	/** Why the repository could not be opened when it was last tried. */
	failure: errorDocumentSchema.nullable(),
});
export type RepositoryMoverState = z.infer<typeof repositoryMoverStateSchema>;

/** Writes that a mount mover got and did not make: how many since it started, and the last one. */
const refusedWritesSchema = z.object({
	count: counter,
	export: z.string(),
	/** As they were asked for: they may be any, also beyond the end. */
	offset: z.number().min(0),
	length: z.number().min(0),
});
export type RefusedWrites = z.infer<typeof refusedWritesSchema>;

/** `GET /state` of a mount mover. */
export const mountMoverStateSchema = z.object({
	recoveryId: z.uuid(),
	disks: z.array(z.object({ name: diskName, restoredChunks: counter, chunks: counter })),
	/** Reads of the guest that wait for the repository. */
	waitingReads: counter,
	oldestWaitMs: z.number().min(0),
	/** Reads that would wait are answered with EIO at present. */
	failing: z.boolean(),
	badChunks: z.array(badChunkSchema),
	/**
	 * Why chunks or a restored map cannot be read at present; reads that need them wait. `io_failed`: a read of a target
	 * failed and was answered with EIO; said until `POST /serve`. Or a write to the volume's metadata failed: said for good.
	 */
	failure: errorDocumentSchema.nullable(),
	/** Absent when nobody tried. */
	refusedWrites: refusedWritesSchema.optional(),
	/** How far it is with what it fetches first; absent when there is nothing of that kind. */
	firstReads: z
		.object({ ...knownReadsSchema.shape.from.shape, chunks: counter, passed: counter, fetched: counter })
		.optional(),
	counters: z.record(z.string(), counter),
});
export type MountMoverState = z.infer<typeof mountMoverStateSchema>;

/** `POST /fail-pending` of a mount mover: answer waiting reads with EIO, now and for this long. */
export const failPendingSchema = z.strictObject({ forMs: z.int().min(0).max(600_000) });

/** `GET /state` of a migration mover. */
export const migrationMoverStateSchema = z.object({
	recoveryId: z.uuid(),
	disks: z.array(z.object({ name: diskName, restoredBytes: counter, complete: z.boolean() })),
	/** Told to copy, and neither done nor stopped by a failure. */
	copying: z.boolean(),
	maxRateBytes: counter,
	/** Bytes of disk since it started. */
	writtenBytes: counter.default(0),
	/** What stopped the copy; `POST /retry` clears it. */
	failure: errorDocumentSchema.nullable(),
	/** Why the repository mover gives nothing at present; the copy waits and goes on by itself. */
	trouble: errorDocumentSchema.nullable(),
	badChunks: z.array(badChunkSchema),
});
export type MigrationMoverState = z.infer<typeof migrationMoverStateSchema>;

/**
 * `POST /copy` and `POST /rate` of a migration mover, in bytes of disk a second, and `POST /rate` of a repository mover, in
 * bytes as they lie in the repository; 0 is unlimited.
 */
const rateSchema = z.strictObject({ maxRateBytes: z.int().min(0) });

export function rateOf(body: unknown): number {
	const result = rateSchema.safeParse(body);
	if (!result.success) throw new RouseError('protocol', 'a rate is {"maxRateBytes": bytes a second, 0 for unlimited}');
	return result.data.maxRateBytes;
}

/** Reads a mover's configuration; `config_invalid` names the file and the field. */
export async function readMoverConfig<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S>> {
	let document: unknown;
	try {
		document = JSON.parse(await readFile(path, 'utf8'));
	} catch (cause) {
		throw new RouseError('config_invalid', `${path}: cannot be read as JSON`, { cause });
	}
	const result = schema.safeParse(document);
	if (result.success) return result.data;
	throw new RouseError('config_invalid', `${path}: ${refusalText(result.error)}`);
}
