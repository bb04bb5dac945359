import * as z from 'zod';
import { digestSchema } from '../model/chunk.ts';
import { RouseError } from '../model/errors.ts';
import { machineNameSchema } from '../model/machine.ts';
import { pointTimeSchema } from '../model/names.ts';
import { isUnreadable } from './damage.ts';
import { mayRead } from './features.ts';
import { keys, pinOfKey } from './format/keys.ts';
import { damagedObject, openSealedJson, sealJson } from './format/sealed-json.ts';
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
 * Pins a point. Done already, for the same point: nothing changes. `identity_conflict` when it holds another point;
 * `repository_unsupported` when the repository must not be read any more. The pin stays then: whoever ends the recovery
 * takes it away, and an earlier attempt of it may have a machine that reads.
 */
export async function pinPoint(
	repository: Repository,
	pin: Omit<Pin, 'pinnedAt'>,
	{ now = () => new Date(), signal }: { now?: () => Date; signal?: AbortSignal | undefined } = {},
): Promise<void> {
	const { store } = repository;
	const key = keys.pin(pin.recoveryId);
	const whole = pinSchema.parse({ ...pin, pinnedAt: now().toISOString() });
	if (await store.putExclusive(key, sealJson(type, whole), signal)) return mayRead(store, signal);
	const standing = await readPin(store, key, signal);
	if (standing === undefined) return pinPoint(repository, pin, { now, signal }); // taken away between the two
	if (standing.manifestDigest !== pin.manifestDigest)
		throw new RouseError(
			'identity_conflict',
			`recovery ${pin.recoveryId} has pinned ${standing.machine}@${standing.restorePoint} already`,
		);
	await mayRead(store, signal);
}

/** Takes a recovery's pin away; succeeds when there is none. */
export async function unpinPoint({ store }: Repository, recoveryId: string): Promise<void> {
	await store.delete(keys.pin(recoveryId));
}

export const pinListSchema = z.strictObject({
	pins: z.array(pinSchema),
	/** They stand all the same: whatever the point is that one of these holds, nobody may take it for free. */
	unreadable: z.array(z.strictObject({ recoveryId: z.uuid(), reason: z.string() })),
});
export type PinList = z.infer<typeof pinListSchema>;

/** All pins that stand. One that is damaged, or of a version that this program does not know, hides none of the others. */
export async function listPins({ store }: Repository): Promise<PinList> {
	const list: PinList = { pins: [], unreadable: [] };
	for await (const key of store.listKeys(keys.pins)) {
		const recoveryId = pinOfKey(key);
		if (recoveryId === undefined) continue;
		try {
			const pin = await readPin(store, key);
			if (pin) list.pins.push(pin);
		} catch (error) {
			if (!isUnreadable(error)) throw error;
			list.unreadable.push({ recoveryId, reason: error.message });
		}
	}
	return list;
}

/** Throws `format_damaged`, `repository_unsupported`, `io_failed`. */
export async function readPin(store: Repository['store'], key: string, signal?: AbortSignal): Promise<Pin | undefined> {
	const bytes = await readObject(store, key, { signal });
	if (bytes === undefined) return undefined;
	const pin = openSealedJson(type, pinSchema, bytes, key);
	if (keys.pin(pin.recoveryId) !== key) throw damagedObject(key, `is the pin of recovery ${pin.recoveryId}`);
	return pin;
}
