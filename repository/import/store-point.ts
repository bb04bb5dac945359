import type { DiskImage } from '../../model/chunk.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { MachineConfig } from '../../model/machine.ts';
import type { Clock } from '../../system/clock.ts';
import { BadPlaces } from '../bad-places.ts';
import { DirectChunkSource } from '../direct-chunk-source.ts';
import { mayDelete, mayWrite } from '../features.ts';
import { pageFrameBytes } from '../format/frame-table.ts';
import { keys } from '../format/keys.ts';
import { decodeManifest, encodeManifest, type Manifest } from '../format/manifest.ts';
import { pageMapOf } from '../format/page-map.ts';
import { sha256Of } from '../format/sha256.ts';
import { ImportIndex } from '../index/import-index.ts';
import type { RestorePoint } from '../points.ts';
import type { Store } from '../store/contract.ts';
import { StoredDiskReader } from '../stored-disk.ts';
import { VerifiedChunks } from '../verified-chunks.ts';
import { BasePoint } from './base-point.ts';
import { ChunkStorer } from './chunk-storer.ts';
import { ImportBase } from './import-base.ts';
import { importDisk } from './import-disk.ts';
import { checkConfig, type ImportOptions, type ImportPlan, pointExists } from './import-request.ts';
import { beginJournal, type ImportJournal } from './journal.ts';
import { ReadPages, RepositoryChunks } from './known-chunks.ts';
import { removeLeftJournals } from './remove-import.ts';
import { SegmentThreads } from './segment-threads.ts';

/** What came of an attempt that made the point. */
export interface Stored {
	point: RestorePoint;
	newBytes: number;
	storedBytes: number;
	unreadablePacks: string[];
	/** What went wrong and did not keep the point from being made, for people. */
	warnings: string[];
}

const defaultPackBytes = 64 * 1024 * 1024;

/** Where an attempt stores, and what it knows already. */
interface Workshop {
	data: ChunkStorer;
	pages: ChunkStorer;
	journal: ImportJournal;
	known: RepositoryChunks;
	base: ImportBase;
	/** What went wrong and did not keep anything from being stored, for people. */
	warnings: string[];
	/** For who reads what is stored. */
	chunks: VerifiedChunks;
	index: ImportIndex;
	threads: SegmentThreads;
}

/**
 * Everything from the intent to the manifest (docs/format.md, "An import": what must be durable before what). The intent must
 * stand.
 */
export async function storePoint(plan: ImportPlan, options: ImportOptions & { clock: Clock }): Promise<Stored> {
	const { repository, importId, moment, base, sources } = plan;
	const { store, chunkSizeBytes } = repository;
	const { clock, signal: outer } = options;
	const chunkCounts = sources.map(({ sizeBytes }) => pageMapOf({ sizeBytes, chunkSizeBytes }).chunkCount);
	const journal = await beginJournal(
		store,
		{ importId, moment, chunkCounts, hasBase: base !== null },
		{ clock, signal: outer },
	);
	// An attempt that another one has taken the place of ends at once, whatever it is doing.
	const signal = AbortSignal.any([journal.ended, ...(outer ? [outer] : [])]);
	let workshop: Workshop | undefined;
	try {
		workshop = await openWorkshop(plan, journal, signal);
		options.reached?.('known');
		const disks = await storeDisks(plan, workshop, { ...options, signal });
		const config = await configOf(plan, workshop.chunks, disks, signal);
		const point = await publish(plan, { config, disks }, { ...options, signal });
		options.reached?.('manifest');
		const warnings = [...workshop.warnings, ...(await tidyUp(store, workshop.index, signal))];
		return { ...storedBy(workshop, point), warnings };
	} finally {
		// Nothing half-written stays, whatever ended this attempt; the first failure is the one to tell.
		await workshop?.data.abandon().catch(() => {});
		await workshop?.pages.abandon().catch(() => {});
		await workshop?.threads.close();
		await journal.close();
	}
}

async function openWorkshop(plan: ImportPlan, journal: ImportJournal, signal: AbortSignal): Promise<Workshop> {
	const { repository, packBytes = defaultPackBytes } = plan;
	const { store, frameSizeBytes } = repository;
	const bad = await BadPlaces.load(store, signal);
	const index = await ImportIndex.begin(store, { mayDelete: await isDeletionAllowed(store, signal), signal });
	const chunks = new VerifiedChunks(new DirectChunkSource(store, undefined, bad));
	const base = await ImportBase.open(repository, chunks, plan, signal);
	const hints = await BasePoint.open(plan, chunks, base, signal);
	const known = new RepositoryChunks({ base: hints, indexed: index.indexed, bad, signal });
	const common = { packBytes, writeIndex: index.write.bind(index), signal };
	const data = new ChunkStorer(store, {
		...common,
		kind: 'chunk',
		frameSizeBytes,
		known,
		onStored: ({ footer }) => journal.packStored(footer.packId),
	});
	const pages = new ChunkStorer(store, {
		...common,
		kind: 'page',
		frameSizeBytes: pageFrameBytes,
		known: new ReadPages(known, { store, bad, signal }),
		// A page pack comes after every data pack that one of its pages refers to.
		before: () => data.flush(),
	});
	return {
		data,
		pages,
		journal,
		known,
		index,
		base,
		chunks,
		warnings: [],
		threads: new SegmentThreads(repository, plan.threads),
	};
}

async function storeDisks(
	{ repository, sources }: ImportPlan,
	workshop: Workshop,
	{ signal, progress, reached }: ImportOptions & { signal: AbortSignal },
): Promise<DiskImage[]> {
	const { chunkSizeBytes, frameSizeBytes } = repository;
	const { data, pages } = workshop;
	const disks: DiskImage[] = [];
	for (const [disk, source] of sources.entries()) {
		const onProgress = (doneBytes: number) =>
			progress?.({ disk, doneBytes, totalBytes: source.sizeBytes, newBytes: data.newBytes });
		const warn = (text: string) => workshop.warnings.push(text);
		const work = { ...workshop, disk, source, chunkSizeBytes, frameSizeBytes, signal, warn, onProgress };
		disks.push(await importDisk(work));
		reached?.('disk');
	}
	await data.flush();
	await data.indexRest();
	reached?.('data');
	await pages.flush();
	await pages.indexRest();
	// Whoever looks at what is stored takes as much memory as these.
	await workshop.threads.close();
	reached?.('pages');
	return disks;
}

async function configOf(
	{ config, sources }: ImportPlan,
	chunks: VerifiedChunks,
	disks: readonly DiskImage[],
	signal: AbortSignal,
): Promise<MachineConfig> {
	if (typeof config !== 'function') return config;
	const stored = disks.map(image => new StoredDiskReader(chunks, image));
	const found = await config(stored, signal);
	checkConfig(found, sources.length);
	return found;
}

async function publish(
	plan: ImportPlan,
	{ config, disks }: Pick<Manifest, 'config' | 'disks'>,
	{ signal, reached }: Pick<ImportOptions, 'reached'> & { signal: AbortSignal },
): Promise<RestorePoint> {
	const { repository, machine, time, importId, facts, sources } = plan;
	const { store } = repository;
	// Last before the manifest: what changes from here on is another moment's.
	for (const source of sources) await source.checkUnchanged?.(signal);
	reached?.('checked');
	await mayWrite(store, signal);
	signal.throwIfAborted();
	const key = keys.point(machine, time);
	const manifest = { repositoryId: repository.id, machine, time, importId, config, facts, disks };
	const bytes = encodeAndCompare(manifest, key);
	if (!(await store.putExclusive(key, bytes, signal))) throw pointExists(machine, time);
	return { manifest, manifestDigest: sha256Of(bytes) };
}

function encodeAndCompare(manifest: Manifest, key: string): Buffer {
	const bytes = encodeManifest(manifest);
	if (!encodeManifest(decodeManifest(bytes, key)).equals(bytes))
		throw new RouseError('internal', `${key} reads back differently: bad memory, or a bug`);
	return bytes;
}

/**
 * What an import does for others when its point exists: one that failed here would be tried again, and told that it does. While the
 * intent stands, since whoever adds a feature waits for nothing else before he relies on it.
 */
async function tidyUp(store: Store, index: ImportIndex, signal: AbortSignal): Promise<string[]> {
	const warnings = index.damagedIndexes.map(id => `index ${id} is damaged: others have been made in its place`);
	if (index.surplusIndexes > 0)
		warnings.push(`${index.surplusIndexes} indexes are more than are looked at: rouse repo verify tells what to do`);
	const attempt = async (work: () => Promise<void>, what: string) => {
		try {
			await work();
		} catch (error) {
			warnings.push(`${what}: ${asRouseError(error).message}`);
		}
	};
	await attempt(() => removeLeftJournals(store, signal), 'journals that are left over could not be removed');
	await attempt(() => index.mergeLarge(), 'indexes could not be merged');
	return warnings;
}

function storedBy({ data, pages, index }: Workshop, point: RestorePoint): Omit<Stored, 'warnings'> {
	return {
		point,
		newBytes: data.newBytes,
		storedBytes: data.storedBytes + pages.storedBytes + encodeManifest(point.manifest).length,
		unreadablePacks: index.unreadablePacks,
	};
}

async function isDeletionAllowed(store: Store, signal: AbortSignal): Promise<boolean> {
	try {
		await mayDelete(store, signal);
		return true;
	} catch (error) {
		if (error instanceof RouseError && error.code === 'repository_unsupported') return false;
		throw error;
	}
}
