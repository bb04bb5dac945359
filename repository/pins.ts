import * as z from 'zod';
import { digestSchema } from '../model/chunk.ts';
import { RouseError } from '../model/errors.ts';
import { machineNameSchema } from '../model/machine.ts';
import { pointTimeSchema } from '../model/names.ts';
import { keys } from './format/keys.ts';
import { openSealedJson, sealJson } from './format/sealed-json.ts';
import { readObject } from './read-object.ts';
import type { Repository } from './repository.ts';

const type = 'rouse-pin';

/** A restore point in use by a recovery: nothing of it may be removed while the pin stands (docs/format.md, "Pin"). */
export const pinSchema = z.strictObject({
	recoveryId: z.uuid(),
	machine: machineNameSchema,
	restorePoint: pointTimeSchema,
	manifestDigest: digestSchema,
	reason: z.string().max(500),
	pinnedAt: z.iso.datetime(),
});
export type Pin = z.infer<typeof pinSchema>;

/**
 * What stands in the pin's place once it was taken away, for good: a put of the same name that is carried out late, by an
 * attempt that was given up, finds the name taken.
 */
const releasedSchema = z.strictObject({ recoveryId: z.uuid(), releasedAt: z.iso.datetime() });
type Released = z.infer<typeof releasedSchema>;

interface PinOptions {
	now?: () => Date;
	signal?: AbortSignal | undefined;
}

/**
 * Pins a point. Done already, for the same point: nothing changes. `identity_conflict` when it holds another point,
 * `generation_stale` when the recovery has released its pin.
 */
export async function pinPoint(
	repository: Repository,
	pin: Omit<Pin, 'pinnedAt'>,
	{ now = () => new Date(), signal }: PinOptions = {},
): Promise<void> {
	const { store } = repository;
	const key = keys.pin(pin.recoveryId);
	const whole = pinSchema.parse({ ...pin, pinnedAt: now().toISOString() });
	if (await store.putExclusive(key, sealJson(type, whole), signal)) return;
	const standing = await readPin(store, key, signal);
	if (standing === undefined) return pinPoint(repository, pin, { now, signal }); // taken away between the two
	if ('releasedAt' in standing)
		throw new RouseError('generation_stale', `recovery ${pin.recoveryId} released its pin at ${standing.releasedAt}`);
	if (standing.manifestDigest !== pin.manifestDigest)
		throw new RouseError(
			'identity_conflict',
			`recovery ${pin.recoveryId} has pinned ${standing.machine}@${standing.restorePoint} already`,
		);
}

/**
 * Takes a recovery's pin away, for good: none comes after it. Succeeds when there is none. The pin goes first, so that a
 * full store has room for what stands in its place.
 */
export async function unpinPoint(
	{ store }: Repository,
	recoveryId: string,
	{ now = () => new Date(), signal }: PinOptions = {},
): Promise<void> {
	const key = keys.pin(recoveryId);
	const released = sealJson(type, releasedSchema.parse({ recoveryId, releasedAt: now().toISOString() }));
	for (;;) {
		const standing = await readObject(store, key, signal);
		if (standing !== undefined) {
			if (isReleased(standing, key)) return;
			await store.delete(key);
		}
		if (await store.putExclusive(key, released, signal)) return;
	}
}

/** Those that stand. */
export async function listPins({ store }: Repository): Promise<Pin[]> {
	const pins: Pin[] = [];
	for await (const { key } of store.list(keys.pins)) {
		const pin = await readPin(store, key);
		if (pin && !('releasedAt' in pin)) pins.push(pin);
	}
	return pins;
}

/** Also a pin that is damaged, or of another version, is one. */
function isReleased(bytes: Uint8Array, key: string): boolean {
	try {
		openSealedJson(type, releasedSchema, bytes, key);
		return true;
	} catch {
		return false;
	}
}

async function readPin(
	store: Repository['store'],
	key: string,
	signal?: AbortSignal,
): Promise<Pin | Released | undefined> {
	const bytes = await readObject(store, key, signal);
	return bytes && openSealedJson(type, z.union([pinSchema, releasedSchema]), bytes, key);
}
