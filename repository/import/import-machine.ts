import { randomUUID } from 'node:crypto';
import type { MissingPart } from '../../model/chunk.ts';
import { asRouseError } from '../../model/errors.ts';
import { systemClock } from '../../system/clock.ts';
import { isDamage } from '../damage.ts';
import { mayWrite } from '../features.ts';
import { keys } from '../format/keys.ts';
import { type RestorePoint, readPoint } from '../points.ts';
import { writeMissingCopy } from '../stored-header.ts';
import {
	checkRequest,
	type ImportOptions,
	type ImportPlan,
	type ImportRequest,
	pointExists,
} from './import-request.ts';
import { announceImport, readIntent } from './intent.ts';
import { removeImport } from './remove-import.ts';
import { type Stored, storePoint } from './store-point.ts';

export interface ImportResult {
	machine: string;
	restorePoint: string;
	manifestDigest: string;
	disks: { sizeBytes: number; missing?: MissingPart }[];
	/** Bytes, before compression, of chunks that this attempt has stored because the repository did not know them. */
	newBytes: number;
	/** Bytes that this attempt has added to the store: packs with their footers and the manifest. */
	storedBytes: number;
	/** Packs whose footers are damaged: what lies in them was stored again. */
	unreadablePacks: string[];
	/** What went wrong and did not keep the point from being made, for people. */
	warnings: string[];
	durationMs: number;
}

/**
 * Stores a machine as a new restore point. The point exists from the moment its manifest is in place, which is the last
 * thing; what an import leaves that ends before is used by the next one, and one that has a moment and the same id goes on where
 * it was. Several may run at once, of one import also. Throws `usage`, `point_exists`, `source_invalid`, `identity_conflict` (the
 * id is another import's), `import_superseded`, what the store throws, and the signal's reason.
 */
export async function importMachine(request: ImportRequest, options: ImportOptions = {}): Promise<ImportResult> {
	const startedAt = performance.now();
	checkRequest(request);
	const { importId = randomUUID(), moment = null, base = null, facts = {} } = request;
	const plan = { ...request, importId, moment, base, facts };
	const { stored, warnings } = await storeOnce(plan, options);
	const { point, ...figures } = stored;
	return {
		...resultOf(point),
		...figures,
		warnings: [...warnings, ...stored.warnings, ...(await cleanUp(plan))],
		durationMs: Math.round(performance.now() - startedAt),
	};
}

/** Stores the point, unless this import has made it before. */
async function storeOnce(plan: ImportPlan, options: ImportOptions): Promise<{ stored: Stored; warnings: string[] }> {
	const { repository, importId, machine, time, moment, base, sources } = plan;
	const { signal, clock = systemClock } = options;
	const { store, chunkSizeBytes, frameSizeBytes } = repository;
	await mayWrite(store, signal);
	const before = await pointOfImport(plan, signal).catch(async (error: unknown) => {
		// Nor can an earlier attempt publish any more, and whoever looks for one to go on with would find it again and again.
		if (asRouseError(error).code === 'point_exists') await removeEarlier(plan, signal).catch(() => {});
		throw error;
	});
	if (before !== undefined) return { stored: { ...nothingStored, point: before }, warnings: [] };
	const warnings: string[] = [];
	const disks = sources.map(({ sizeBytes }) => ({ sizeBytes }));
	const scope = { importId, machine, time, moment, disks, chunkSizeBytes, frameSizeBytes, base };
	await announceImport(store, scope, signal);
	try {
		// Whoever has added a feature since waits for the intents that stood before it (docs/format.md, "Features").
		await mayWrite(store, signal);
		options.reached?.('intent');
		await writeMissingCopy(store, signal).catch((error: unknown) => {
			warnings.push(`the copy of the header could not be written: ${asRouseError(error).message}`);
		});
		return { stored: await storePoint(plan, { ...options, clock }), warnings };
	} catch (error) {
		const after = await pointOfImport(plan).catch(() => undefined); // the first failure is the one to tell
		if (after !== undefined) return { stored: { ...nothingStored, point: after }, warnings };
		// Another attempt may go on, or be under way: only one that can have none, or cannot publish any more, takes its intent away.
		if (moment === null || asRouseError(error).code === 'point_exists')
			await removeImport(store, importId).catch(() => {});
		throw error;
	}
}

const nothingStored = { newBytes: 0, storedBytes: 0, unreadablePacks: [], warnings: [] };

/** Of what has this id, but may be another import. */
async function removeEarlier({ repository: { store }, importId, machine, time }: ImportPlan, signal?: AbortSignal) {
	const intent = await readIntent(store, importId, signal);
	if (intent?.machine === machine && intent.time === time) await removeImport(store, importId);
}

/** The point when it is there and was made by this import, durably. `point_exists` when another one made it. */
async function pointOfImport(plan: ImportPlan, signal?: AbortSignal): Promise<RestorePoint | undefined> {
	const { repository, machine, time, importId } = plan;
	const key = keys.point(machine, time);
	if ((await repository.store.size(key, signal)) === undefined) return undefined;
	const point = await readPoint(repository, machine, time, signal).catch(async (error: unknown) => {
		if (isDamage(error)) throw pointExists(machine, time); // and taken all the same
		const isFence =
			asRouseError(error).code === 'point_unknown' && (await repository.store.size(key, signal)) !== undefined;
		throw isFence ? pointExists(machine, time) : error;
	});
	if (point.manifest.importId !== importId) throw pointExists(machine, time);
	// Whoever put it there may not have come to this yet.
	await repository.store.settle(keys.pointsOf(machine), signal);
	return point;
}

/** An import that failed here would be tried again, and told that the point exists. */
async function cleanUp({ repository, importId }: ImportPlan): Promise<string[]> {
	try {
		await removeImport(repository.store, importId);
		return [];
	} catch (error) {
		const what = `the announcement ${keys.intent(importId)} of this import could not be removed`;
		return [`${what}: ${asRouseError(error).message}`];
	}
}

function resultOf({ manifest: { machine, time, disks }, manifestDigest }: RestorePoint) {
	return {
		machine,
		restorePoint: time,
		manifestDigest,
		disks: disks.map(({ sizeBytes, missing }) => ({ sizeBytes, ...(missing ? { missing } : {}) })),
	};
}
