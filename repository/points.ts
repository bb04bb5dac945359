import { RouseError } from '../model/errors.ts';
import { nameSchema, pointMatches, pointTimeSchema } from '../model/names.ts';
import { isUnusable } from './damage.ts';
import { decodeFence, isFence } from './format/fence.ts';
import { keys, pointOfKey } from './format/keys.ts';
import { limits } from './format/limits.ts';
import { decodeManifest, type Manifest } from './format/manifest.ts';
import { sha256Of } from './format/sha256.ts';
import { readObject } from './read-object.ts';
import type { Repository } from './repository.ts';

/** A restore point: its manifest, and the digest that names it whatever it is called. */
export interface RestorePoint {
	manifest: Manifest;
	manifestDigest: string;
}

/** Names of the machines that have points, sorted. */
export async function listMachines({ store }: Repository, signal?: AbortSignal): Promise<string[]> {
	const machines = new Set<string>();
	for await (const { key } of store.list(keys.points, signal)) {
		const point = namedPoint(key);
		if (point) machines.add(point.machine);
	}
	return [...machines];
}

/** Times of a machine's points, oldest first; empty for a machine that has none. */
export async function listPoints({ store }: Repository, machine: string, signal?: AbortSignal): Promise<string[]> {
	const times: string[] = [];
	for await (const { key } of store.list(keys.pointsOf(machine), signal)) {
		const point = namedPoint(key);
		if (point) times.push(point.time);
	}
	return times;
}

/**
 * Full time of the point that a person means by `latest` or a prefix. `machine_unknown`, `point_unknown` and
 * `point_ambiguous` say what there is.
 */
export async function resolvePoint(
	repository: Repository,
	machine: string,
	reference: string,
	signal?: AbortSignal,
): Promise<string> {
	const times = await listPoints(repository, machine, signal);
	if (times.length === 0) throw await unknownMachine(repository, machine, signal);
	if (reference === 'latest') {
		const latest = await latestAmong(repository, machine, times, signal);
		if (latest !== undefined) return latest;
		throw new RouseError('point_unknown', `${machine} has no restore point yet: an import of it was given up`);
	}
	const named = times.filter(time => pointMatches(time, reference));
	const matching = named.length > 1 ? await pointsAmong(repository, machine, named, signal) : named;
	const [only] = matching;
	if (only === undefined)
		throw new RouseError('point_unknown', `${machine} has no restore point ${reference}`, {
			hint: `it has ${some(times.toReversed())}`,
		});
	if (matching.length > 1)
		throw new RouseError('point_ambiguous', `${machine}@${reference} names ${matching.length} restore points`, {
			hint: `one of ${some(matching.toReversed())}`,
		});
	return only;
}

/**
 * The newest of a machine's times, oldest first, that is a point; one that cannot be read is one. Never an older one for
 * that. Undefined when none of them is.
 */
export async function latestAmong(
	repository: Repository,
	machine: string,
	times: readonly string[],
	signal?: AbortSignal,
): Promise<string | undefined> {
	for (const time of times.toReversed()) if (await isPoint(repository, machine, time, signal)) return time;
	return undefined;
}

async function pointsAmong(
	repository: Repository,
	machine: string,
	times: readonly string[],
	signal: AbortSignal | undefined,
): Promise<string[]> {
	const points: string[] = [];
	for (const time of times) if (await isPoint(repository, machine, time, signal)) points.push(time);
	return points;
}

/** Whether it is no fence: these are small, so nothing of a manifest is read that its reader would not read in a moment. */
async function isPoint(...[repository, machine, time, signal]: Parameters<typeof readPoint>): Promise<boolean> {
	try {
		const bytes = await readObject(repository.store, keys.point(machine, time), { signal });
		return bytes === undefined || !isFenceAt(repository, { machine, time }, bytes);
	} catch (error) {
		if (isUnusable(error)) return true; // damage is for whoever reads it to tell
		throw error;
	}
}

/** Throws `format_damaged` for a fence that says more or less than one does, or is of another place: a point may have been here. */
function isFenceAt(repository: Repository, place: Place, bytes: Uint8Array): boolean {
	const key = keys.point(place.machine, place.time);
	if (!isFence(bytes, key)) return false;
	expectAt(repository, place, decodeFence(bytes, key));
	return true;
}

interface Place {
	machine: string;
	time: string;
}

/** A manifest or a fence copied from elsewhere would speak of what is not here. Throws `format_damaged`. */
export function expectAt(repository: Repository, place: Place, found: Place & { repositoryId: string }): void {
	const { repositoryId, machine, time } = found;
	if (repositoryId === repository.id && machine === place.machine && time === place.time) return;
	const key = keys.point(place.machine, place.time);
	throw new RouseError('format_damaged', `${key} is of ${machine}@${time} in repository ${repositoryId}`, {
		hint: 'put this object back from a copy of the repository',
	});
}

/** `time` is the full time. Throws `point_unknown`, `format_damaged`, `repository_unsupported`. */
export async function readPoint(
	repository: Repository,
	machine: string,
	time: string,
	signal?: AbortSignal,
): Promise<RestorePoint> {
	const key = keys.point(machine, time);
	const bytes = await readObject(repository.store, key, { maxBytes: limits.manifestBytes, signal });
	if (bytes === undefined) throw new RouseError('point_unknown', `${machine} has no restore point ${time}`);
	if (isFenceAt(repository, { machine, time }, bytes))
		throw new RouseError('point_unknown', `${machine}@${time} is taken, and no restore point`);
	const manifest = decodeManifest(bytes, key);
	expectAt(repository, { machine, time }, manifest);
	return { manifest, manifestDigest: sha256Of(bytes) };
}

/** The point that a key names, if any. */
export function namedPoint(key: string): { machine: string; time: string } | undefined {
	const point = pointOfKey(key);
	const valid = nameSchema.safeParse(point?.machine).success && pointTimeSchema.safeParse(point?.time).success;
	return valid ? point : undefined;
}

async function unknownMachine(
	repository: Repository,
	machine: string,
	signal: AbortSignal | undefined,
): Promise<RouseError> {
	const machines = await listMachines(repository, signal);
	return new RouseError('machine_unknown', `no machine ${machine} in ${repository.location}`, {
		hint: machines.length > 0 ? `it holds ${some(machines)}` : 'it is empty; fill it with `rouse backup import`',
	});
}

function some(names: readonly string[]): string {
	return names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
}
