import { asRouseError, RouseError } from '../../../model/errors.ts';
import { type ImportResult, importMachine } from '../../../repository/import/import-machine.ts';
import type { ImportOptions, ImportRequest } from '../../../repository/import/import-request.ts';
import { removeImport } from '../../../repository/import/remove-import.ts';
import type { Repository } from '../../../repository/repository.ts';
import { announcedMoment } from '../announced.ts';
import { machineConfig, unknownOf } from '../config.ts';
import type { CopyResult } from '../copy-result.ts';
import type { SourceMoment } from '../documents.ts';
import { type ImportOrder, sourceFacts } from '../order.ts';
import { ReadPace } from '../read-pace.ts';
import { closeDisks, type OpenedDisks, openDisks } from './open-disks.ts';
import type { StepPlaces } from './places.ts';
import { publishedPoint } from './published.ts';

export interface Copy {
	order: ImportOrder;
	moment: SourceMoment;
}

interface CopyOptions
	extends Pick<ImportOptions, 'clock' | 'progress' | 'reached'>,
		Pick<ImportRequest, 'packBytes' | 'threads'> {
	/** What it reads of the source is counted there, and slowed. */
	pace?: ReadPace;
}

/**
 * From a moment that is ready to its restore point. Another attempt goes on where this one ends, and once the point is there says
 * so: nothing asks the source any more. Throws what `importMachine` and the source throw; after `moment_lost`, and whatever ends an
 * import whose moment has no name, it is given up.
 */
export async function copyMoment(places: StepPlaces, copy: Copy, options: CopyOptions = {}): Promise<CopyResult> {
	const { repository, signal } = places;
	const { order, moment } = copy;
	const before = await publishedPoint(repository, order, signal);
	if (before !== undefined) {
		const { manifest, manifestDigest } = before;
		const none = { newBytes: 0, storedBytes: 0, reads: [] };
		return { restorePoint: manifest.time, manifestDigest, ...none, warnings: await cleanUp(repository, order) };
	}
	const lost = new Set<string>();
	for (;;) {
		const known = lost.size;
		const opened = await openDisks(places, copy, { lost, onLost: key => lost.add(key) });
		try {
			return resultOf(await importMachine(requestOf(places, copy, opened, options), { ...options, signal }), opened);
		} catch (error) {
			// What was called unchanged until then is right and need not be told again; of the rest nobody knows.
			if (asRouseError(error).code !== 'checkpoint_lost' || lost.size === known || moment.moment === null) throw error;
		} finally {
			await closeDisks(opened);
		}
	}
}

function requestOf(
	{ repository }: StepPlaces,
	{ order, moment }: Copy,
	{ sources, reads }: OpenedDisks,
	{ packBytes, threads, pace = new ReadPace(null) }: CopyOptions,
): ImportRequest {
	const { tag, machine, time, base } = order;
	return {
		repository,
		machine,
		time,
		importId: tag,
		sources: sources.map(source => pace.of(source)),
		moment: announcedMoment(order.owner, moment.moment),
		base: base && { restorePoint: base.restorePoint, manifestDigest: base.manifestDigest },
		config: (disks, signal) => machineConfig(order, disks, signal),
		facts: { source: sourceFacts({ described: order.described, unknown: unknownOf(order) }, moment, reads) },
		...(packBytes === undefined ? {} : { packBytes }),
		...(threads === undefined ? {} : { threads }),
	};
}

function resultOf(
	{ restorePoint, manifestDigest, newBytes, storedBytes, warnings, unreadablePacks }: ImportResult,
	{ reads }: OpenedDisks,
): CopyResult {
	const unreadable = unreadablePacks.map(
		id => `the footer of pack ${id} cannot be read: what lies in it was stored again`,
	);
	return { restorePoint, manifestDigest, newBytes, storedBytes, warnings: [...unreadable, ...warnings], reads };
}

/** An earlier attempt may have died before it came to this. */
async function cleanUp({ store }: Repository, { tag }: ImportOrder): Promise<string[]> {
	try {
		await removeImport(store, tag);
		return [];
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		return [`the announcement of import ${tag} could not be removed: ${error.message}`];
	}
}
