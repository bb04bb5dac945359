import { randomUUID } from 'node:crypto';
import type { DiskImage, MissingPart } from '../../model/chunk.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import type { MachineConfig } from '../../model/machine.ts';
import { pageFrameBytes } from '../format/frame-table.ts';
import { keys } from '../format/keys.ts';
import { limits } from '../format/limits.ts';
import { decodeManifest, encodeManifest, isDiskSize, type Manifest, manifestFields } from '../format/manifest.ts';
import { allPackFooters } from '../pack-footers.ts';
import type { Repository } from '../repository.ts';
import { ChunkStorer } from './chunk-storer.ts';
import type { DiskSource } from './disk-source.ts';
import { importDisk } from './import-disk.ts';
import { BadPlaces } from '../bad-places.ts';
import { DirectChunkSource } from '../direct-chunk-source.ts';
import { sha256Of } from '../format/sha256.ts';
import { IndexedChunks } from '../index/indexed-chunks.ts';
import { VerifiedChunks } from '../verified-chunks.ts';
import { BasePoint } from './base-point.ts';
import { announceImport } from './intent.ts';
import { ReadPages, RepositoryChunks } from './known-chunks.ts';

export interface ImportRequest {
	repository: Repository;
	/** Name of the machine. */
	machine: string;
	/** Full time of the new point: model/names.ts, `pointTimeSchema`. */
	time: string;
	/** The machine's disks in their order. Not closed. */
	sources: readonly DiskSource[];
	config: MachineConfig;
	/** Size at which a pack is put into the store. */
	packBytes?: number;
}

export interface ImportProgress {
	disk: number;
	doneBytes: number;
	totalBytes: number;
	/** Of this import so far. */
	newBytes: number;
}

export interface ImportOptions {
	signal?: AbortSignal | undefined;
	progress?: ((progress: ImportProgress) => void) | undefined;
	/** Name of a step that was just reached: `intent`, `known`, `disk`, `data`, `pages`, `manifest`. */
	reached?: ((place: string) => void) | undefined;
}

export interface ImportResult {
	machine: string;
	restorePoint: string;
	manifestDigest: string;
	disks: { sizeBytes: number; missing?: MissingPart }[];
	/** Bytes, before compression, of chunks that the repository did not know. */
	newBytes: number;
	/** Bytes added to the store: packs with their footers and the manifest. */
	storedBytes: number;
	/** Packs whose footers are damaged: what lies in them was stored again. */
	unreadablePacks: string[];
	/** What went wrong after the point was in place, for people. */
	warnings: string[];
	durationMs: number;
}

type StoredPoint = Omit<ImportResult, 'durationMs' | 'warnings'>;

const defaultPackBytes = 64 * 1024 * 1024;

/**
 * Stores a machine as a new restore point. The point exists from the moment its manifest is in place, which is the last
 * thing; an import that ends before leaves packs that the next one finds and uses. Several may run at once.
 * Throws `usage`, `point_exists`, `source_invalid`, what the store throws, and the signal's reason.
 */
export async function importMachine(request: ImportRequest, options: ImportOptions = {}): Promise<ImportResult> {
	const startedAt = performance.now();
	checkRequest(request);
	const { repository, machine, time } = request;
	const { store } = repository;
	const key = keys.point(machine, time);
	if ((await store.size(key, options.signal)) !== undefined) throw pointExists(machine, time);
	const importId = randomUUID();
	const { chunkSizeBytes, frameSizeBytes } = repository;
	const disks = request.sources.map(({ sizeBytes }) => ({ sizeBytes }));
	const scope = { importId, machine, time, moment: null, disks, chunkSizeBytes, frameSizeBytes };
	await announceImport(store, scope, options.signal);
	const intent = keys.intent(importId);
	let result: StoredPoint;
	try {
		options.reached?.('intent');
		result = await storePoint(request, importId, key, options);
	} catch (error) {
		// The first failure is the one to tell; an intent left behind only delays a prune.
		await store.delete(intent).catch(() => {});
		throw error;
	}
	// The point exists by now: an import that failed here would be tried again, and told that it does.
	const warnings = await store.delete(intent).then(
		() => [],
		(error: unknown) => [
			`the announcement ${intent} of this import could not be removed (${asRouseError(error).message}): a prune keeps what it stands for`,
		],
	);
	return { ...result, warnings, durationMs: Math.round(performance.now() - startedAt) };
}

async function storePoint(
	request: ImportRequest,
	importId: string,
	key: string,
	{ signal = new AbortController().signal, progress, reached }: ImportOptions,
): Promise<StoredPoint> {
	const { repository, machine, time, sources, config, packBytes = defaultPackBytes } = request;
	const { store, chunkSizeBytes, frameSizeBytes } = repository;
	const indexed = new IndexedChunks();
	const unreadablePacks: string[] = [];
	for await (const footer of allPackFooters(store, ({ packId }) => unreadablePacks.push(packId), signal))
		indexed.addFooter(footer);
	reached?.('known');
	// Pages in packs of their own: a walk over a disk's map then reads them in one go, and data stays in disk order.
	const chunks = new VerifiedChunks(new DirectChunkSource(store));
	const base = await BasePoint.open(repository, chunks, machine, signal);
	const known = new RepositoryChunks({ base, indexed, bad: new BadPlaces(), signal });
	const writeIndex = async () => {};
	const data = new ChunkStorer(store, { kind: 'chunk', frameSizeBytes, packBytes, known, writeIndex, signal });
	const pages = new ChunkStorer(store, {
		kind: 'page',
		frameSizeBytes: pageFrameBytes,
		packBytes,
		known: new ReadPages(known, chunks, signal),
		writeIndex,
		before: () => data.flush(),
		signal,
	});
	const disks: DiskImage[] = [];
	for (const [disk, source] of sources.entries()) {
		const onProgress = (doneBytes: number) =>
			progress?.({ disk, doneBytes, totalBytes: source.sizeBytes, newBytes: data.newBytes });
		disks.push(await importDisk({ disk, source, chunkSizeBytes, frameSizeBytes, data, pages, signal, onProgress }));
		reached?.('disk');
	}
	// Data before what refers to it, pages before the manifest: a crash in between leaves no reference to nothing.
	await data.flush();
	reached?.('data');
	await pages.flush();
	reached?.('pages');
	// Last before the manifest: what changes from here on is another moment's.
	for (const source of sources) await source.checkUnchanged?.();
	signal.throwIfAborted();
	const manifestBytes = encodeAndCompare(
		{ repositoryId: repository.id, machine, time, importId, config, facts: {}, disks },
		key,
	);
	if (!(await store.putExclusive(key, manifestBytes, signal))) throw pointExists(machine, time);
	reached?.('manifest');
	return {
		machine,
		restorePoint: time,
		manifestDigest: sha256Of(manifestBytes),
		disks: disks.map(({ sizeBytes, missing }) => ({ sizeBytes, ...(missing ? { missing } : {}) })),
		newBytes: data.newBytes,
		storedBytes: data.storedBytes + pages.storedBytes + manifestBytes.length,
		unreadablePacks,
	};
}

/** What the manifest would refuse in the end is refused before hours of reading. */
function checkRequest({ repository: { chunkSizeBytes }, machine, time, config, sources }: ImportRequest): void {
	if (sources.length < 1 || sources.length > 64)
		throw new RouseError('usage', `a machine has 1 to 64 disks, not ${sources.length}`);
	const parsed = manifestFields.pick({ machine: true, time: true, config: true }).safeParse({ machine, time, config });
	if (!parsed.success) throw new RouseError('usage', refusalText(parsed.error), { cause: parsed.error });
	if (config.disks.length !== sources.length)
		throw new RouseError(
			'usage',
			`the configuration tells of ${config.disks.length} disk(s), and ${sources.length} are to be imported`,
		);
	const empty = sources.findIndex(({ sizeBytes }) => !(sizeBytes >= 1));
	if (empty >= 0) throw new RouseError('source_invalid', `disk ${empty} is empty: it has no byte`);
	for (const [disk, { sizeBytes }] of sources.entries())
		if (!isDiskSize({ sizeBytes, chunkSizeBytes }))
			throw new RouseError(
				'source_invalid',
				`disk ${disk} has ${formatBytes(sizeBytes)}, more than ${formatBytes(Math.min(limits.diskBytes, limits.diskChunks * chunkSizeBytes))}`,
			);
}

function encodeAndCompare(manifest: Manifest, key: string): Buffer {
	const bytes = encodeManifest(manifest);
	if (!encodeManifest(decodeManifest(bytes, key)).equals(bytes))
		throw new RouseError('internal', `${key} reads back differently: bad memory, or a bug`);
	return bytes;
}

function pointExists(machine: string, time: string): RouseError {
	return new RouseError('point_exists', `${machine}@${time} exists already`, {
		hint: 'a restore point never changes; import under another time',
		details: { machine, restorePoint: time },
	});
}
