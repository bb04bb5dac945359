/** Snapshots of ours: found by their tags, made together, and deleted. */
import { RouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import type { Reached } from '../../system/reached.ts';
import type { BeginOrder, Claim } from '../machine/documents.ts';
import type { Ec2Cloud, Ec2Snapshot } from './cloud.ts';
import { lookAt } from './describe.ts';
import { makeSet, type Mark, setsOf, type SnapshotSet, tagNames, tagsOf } from './marks.ts';
import { isFault } from './refusals.ts';

/** How often a set is asked for whose call had no answer. */
const mostAttempts = 6;
const firstDelayMs = 1000;

export interface SnapshotPlaces {
	cloud: Ec2Cloud;
	instanceId: string;
	clock: Clock;
	reached: Reached;
}

/** The set of an order: the earliest complete one that carries its tag, or a new one. What else carries the tag is deleted. */
export async function takeSet(places: SnapshotPlaces, order: BeginOrder, signal: AbortSignal): Promise<SnapshotSet> {
	const { clock } = places;
	for (let attempt = 1; ; attempt++) {
		const found = await findSet(places, order, signal);
		if (found !== undefined) return found;
		await mustHaveDisks(places, order, signal);
		try {
			return await createSet(places, order, signal);
		} catch (error) {
			signal.throwIfAborted();
			// Nobody knows whether it was done: it is looked for before it is asked for again.
			if (attempt === mostAttempts || !isFault(error, 'unreachable', 'throttled', 'cut')) throw error;
			await clock.delay(firstDelayMs * 2 ** (attempt - 1), signal);
		}
	}
}

async function findSet(
	{ cloud }: SnapshotPlaces,
	order: BeginOrder,
	signal: AbortSignal,
): Promise<SnapshotSet | undefined> {
	const sets = setsOf(await ofOwner(cloud, order, signal), order);
	const found = sets.find(set => set.isComplete && isOf(set.snapshots, order));
	const others = sets.filter(set => set !== found);
	await dropStray(cloud, others, signal);
	return found;
}

async function createSet(
	{ cloud, instanceId, reached }: SnapshotPlaces,
	order: BeginOrder,
	signal: AbortSignal,
): Promise<SnapshotSet> {
	const { tag, owner, described } = order;
	const mark: Mark = { tag, owner, set: crypto.randomUUID(), disks: described.disks.length };
	reached('create');
	const description = `Rouse: import ${tag} of ${instanceId}`;
	const made = await cloud.createSnapshots({ instanceId, description, tags: tagsOf(mark) }, signal);
	reached('created');
	if (isOf(made, order)) return makeSet(mark, made);
	// A volume came, went or grew between the look and the call.
	await deleteSets(cloud, [{ snapshots: made }], signal);
	throw changed(order);
}

/** `source_changed` when the instance has not the disks that were planned, `source_busy` when one of them is just coming or going. */
async function mustHaveDisks(
	{ cloud, instanceId }: SnapshotPlaces,
	order: BeginOrder,
	signal: AbortSignal,
): Promise<void> {
	const { instance, volumes } = await lookAt(cloud, instanceId, signal);
	const moving = instance.volumes.find(({ state }) => state !== 'attached');
	if (moving !== undefined)
		throw new RouseError('source_busy', `volume ${moving.volumeId} of ${instanceId} is ${moving.state}`);
	if (!isOf(volumes, order)) throw changed(order);
}

function isOf(found: readonly Pick<Ec2Snapshot, 'volumeId' | 'sizeBytes'>[], { described }: BeginOrder): boolean {
	const sizes = new Map(found.map(({ volumeId, sizeBytes }) => [volumeId, sizeBytes]));
	return (
		found.length === described.disks.length &&
		described.disks.every(({ key, sizeBytes }) => sizes.get(key) === sizeBytes)
	);
}

function changed({ described }: BeginOrder): RouseError {
	return new RouseError('source_changed', `the volumes of ${described.name} are not those that were planned any more`, {
		hint: 'begin anew',
	});
}

/** All that carries an owner, of whatever import. */
export async function ofOwner(
	cloud: Ec2Cloud,
	{ owner }: Pick<Claim, 'owner'>,
	signal: AbortSignal,
): Promise<Ec2Snapshot[]> {
	return cloud.snapshots({ tags: { [tagNames.owner]: owner } }, signal);
}

/**
 * What is in nobody's way is deleted where that can be done. Where it cannot, an image having been made of it, the import goes on: whoever
 * ends it, and the next one, tries again, and tells what stays.
 */
export async function dropStray(
	cloud: Pick<Ec2Cloud, 'deleteSnapshot'>,
	sets: readonly Pick<SnapshotSet, 'snapshots'>[],
	signal: AbortSignal,
): Promise<void> {
	try {
		await deleteSets(cloud, sets, signal);
	} catch (error) {
		if (!isFault(error, ...cannotDelete)) throw error;
	}
}

const cannotDelete = ['in-use', 'denied', 'refused'] as const;

/** One that cannot be deleted, an image having been made of it, keeps none of the others. */
export async function deleteSets(
	cloud: Pick<Ec2Cloud, 'deleteSnapshot'>,
	sets: readonly Pick<SnapshotSet, 'snapshots'>[],
	signal: AbortSignal,
): Promise<void> {
	const ids = new Set(sets.flatMap(({ snapshots }) => snapshots.map(({ snapshotId }) => snapshotId)));
	let kept: { error: unknown } | undefined;
	for (const snapshotId of ids)
		try {
			await cloud.deleteSnapshot(snapshotId, signal);
		} catch (error) {
			signal.throwIfAborted();
			if (!isFault(error, ...cannotDelete)) throw error;
			kept ??= { error };
		}
	if (kept !== undefined) throw kept.error;
}
