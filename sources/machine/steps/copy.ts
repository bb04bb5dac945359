import { asRouseError, RouseError } from '../../../model/errors.ts';
import type { ImportResult } from '../../../repository/import/import-machine.ts';
import type { ImportOptions } from '../../../repository/import/import-request.ts';
import { removeImport } from '../../../repository/import/remove-import.ts';
import type { Repository } from '../../../repository/repository.ts';
import { momentOfAttempt } from '../announced.ts';
import { unknownOf } from '../config.ts';
import type { CopyResult } from '../copy-result.ts';
import type { SourceMoment } from '../documents.ts';
import { type ImportOrder, sourceFacts } from '../order.ts';
import { ReadPace } from '../read-pace.ts';
import { type MachineImport, type OpenedMachine, storeMachine } from '../store-machine.ts';
import { closeDisks, type OpenedDisks, openDisks } from './open-disks.ts';
import type { StepPlaces } from './places.ts';
import { publishedPoint } from './published.ts';

export interface Copy {
	order: ImportOrder;
	moment: SourceMoment;
}

interface CopyOptions
	extends Pick<ImportOptions, 'clock' | 'progress' | 'reached'>,
		Pick<MachineImport, 'packBytes' | 'threads'> {
	/** What it reads of the source is counted there, and slowed. */
	pace?: ReadPace;
}

/**
 * From a moment that is ready to its restore point. Another attempt goes on where this one ends, and once the point is there says
 * so: nothing asks the source any more. Throws what `storeMachine` and the source throw; after `moment_lost`, and whatever ends an
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
	const { packBytes, threads } = options;
	const which = { ...(await whichOf(places, copy)), ...(packBytes && { packBytes }), ...(threads && { threads }) };
	const lost = new Set<string>();
	for (;;) {
		const known = lost.size;
		const opened = await openDisks(places, copy, { lost, onLost: key => lost.add(key) });
		try {
			return resultOf(await storeMachine(which, machineOf(copy, opened, options), { ...options, signal }), opened);
		} catch (error) {
			// What was called unchanged until then is right and need not be told again; of the rest nobody knows.
			if (asRouseError(error).code !== 'checkpoint_lost' || lost.size === known || moment.moment === null) throw error;
		} finally {
			await closeDisks(opened);
		}
	}
}

async function whichOf({ repository, signal }: StepPlaces, { order, moment }: Copy): Promise<MachineImport> {
	const { tag, time, base } = order;
	return {
		repository,
		time,
		importId: tag,
		moment: await momentOfAttempt(repository.store, order, { moment: moment.moment, signal }),
		base: base && { restorePoint: base.restorePoint, manifestDigest: base.manifestDigest },
	};
}

function machineOf(
	{ order, moment }: Copy,
	{ sources, reads }: OpenedDisks,
	{ pace = new ReadPace(null) }: CopyOptions,
): OpenedMachine {
	return {
		configured: order,
		disks: sources.map(source => pace.of(source)),
		facts: { source: sourceFacts({ described: order.described, unknown: unknownOf(order) }, moment, reads) },
	};
}

function resultOf(
	{ restorePoint, manifestDigest, newBytes, storedBytes, warnings }: ImportResult,
	{ reads }: OpenedDisks,
): CopyResult {
	return { restorePoint, manifestDigest, newBytes, storedBytes, warnings, reads };
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
