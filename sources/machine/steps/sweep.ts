import { asRouseError } from '../../../model/errors.ts';
import { mayDelete } from '../../../repository/features.ts';
import { readIntent } from '../../../repository/import/intent.ts';
import { removeImport } from '../../../repository/import/remove-import.ts';
import { announcedOf } from '../announced.ts';
import type { SourceMoment } from '../documents.ts';
import type { ImportOrder } from '../order.ts';
import { beginMoment } from './begin.ts';
import { commitMoment } from './commit.ts';
import { abandonFenced } from './give-up.ts';
import type { StepPlaces } from './places.ts';
import { type PointOfSource, pointsLike } from './points-of-source.ts';

export interface Swept {
	/** Imports that were given up, or whose commit was made up for. */
	ended: number;
	/** What could not be taken away, for people. */
	left: string[];
}

/**
 * Ends what earlier imports of this owner have left on the platform and announced in the repository: whoever calls this knows that none of them is under way. The
 * checkpoint of the latest point stays. What goes wrong with one keeps nobody from the others, nor from importing.
 */
export async function sweep(places: StepPlaces, order: ImportOrder): Promise<Swept> {
	const { source, repository, signal } = places;
	const tags = new Set<string>();
	for await (const { tag } of source.leftovers(order.owner, signal)) if (tag !== order.tag) tags.add(tag);
	const swept: Swept = { ended: 0, left: [] };
	const announced = new Set<string>();
	for await (const { intent, owner } of announcedOf(repository, order.machine, signal))
		if (owner === order.owner && intent.importId !== order.tag) announced.add(intent.importId);
	if (tags.size + announced.size === 0) return swept;
	const points = await pointsLike(places, order);
	const made = new Set(points.map(({ point }) => point.manifest.importId));
	for (const tag of new Set([...tags, ...announced]))
		if (!made.has(tag))
			await tried(swept, { what: `import ${tag}`, ends: 1, end: () => endLeft(places, order, tag) }, signal);
	for (const tag of announced)
		if (made.has(tag))
			await tried(swept, { what: `import ${tag}`, ends: 1, end: () => removeLeft(places, tag) }, signal);
	const [latest] = points;
	const kept = [...tags].filter(tag => made.has(tag));
	if (latest !== undefined && kept.length > 0) {
		// Also where that one alone is there, as it should be: whether its moment is there still, for want of a commit, nobody can see.
		const ends = kept.filter(tag => tag !== latest.point.manifest.importId).length;
		const end = () => commitLatest(places, order, latest);
		await tried(swept, { what: 'what earlier points have left', ends, end }, signal);
	}
	return swept;
}

/** Begins as `begin` does; what is in its way may have been left by an import of this owner that nobody goes on with. */
export async function beginSwept(places: StepPlaces, order: ImportOrder): Promise<SourceMoment> {
	try {
		return await beginMoment(places, order);
	} catch (error) {
		if (asRouseError(error).code !== 'source_busy' || (await sweep(places, order)).ended === 0) throw error;
		return beginMoment(places, order);
	}
}

/** One that never announced itself can publish nothing, but what it would read is taken away from it. */
async function endLeft(places: StepPlaces, order: ImportOrder, tag: string): Promise<void> {
	const { source, repository, signal } = places;
	const { owner, identity, machine } = order;
	const intent = await readIntent(repository.store, tag, signal);
	if (intent === undefined || intent.machine !== machine) await source.abandon({ tag, owner, identity }, signal);
	else {
		const left = { ...order, tag, time: intent.time };
		if ((await abandonFenced(places, left)) === 'published') await commitMoment(places, left);
		await removeLeft(places, tag);
	}
}

/** An announcement is another import's, which not every program may delete (docs/format.md, "Features"). */
async function removeLeft({ repository: { store }, signal }: StepPlaces, tag: string): Promise<void> {
	await mayDelete(store, signal);
	await removeImport(store, tag);
}

async function commitLatest(places: StepPlaces, order: ImportOrder, { point }: PointOfSource): Promise<void> {
	const { importId, time } = point.manifest;
	await commitMoment(places, { ...order, tag: importId, time });
}

async function tried(
	swept: Swept,
	{ what, ends, end }: { what: string; ends: number; end: () => Promise<void> },
	signal: AbortSignal,
): Promise<void> {
	try {
		await end();
		swept.ended += ends;
	} catch (error) {
		signal.throwIfAborted();
		swept.left.push(`${what}: ${asRouseError(error).message}`);
	}
}
