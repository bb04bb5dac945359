import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { diskImageSchema, digestSchema } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { machineNameSchema } from '../../model/machine.ts';
import { pointTimeSchema } from '../../model/names.ts';
import { keys } from '../format/keys.ts';
import { openSealedJson, sealJson } from '../format/sealed-json.ts';
import { readObject } from '../read-object.ts';
import type { Store } from '../store/contract.ts';

const type = 'rouse-intent';

/** A point by what it is, whatever it is called: that of the import's machine with this time, when it has this digest. */
export const baseNameSchema = z.strictObject({ restorePoint: pointTimeSchema, manifestDigest: digestSchema });
export type BaseName = z.infer<typeof baseNameSchema>;

/** An import under way: while it stands, nothing that the import may rely on is removed (docs/format.md, "Intent"). */
const intentSchema = z.strictObject({
	importId: z.uuid(),
	machine: machineNameSchema,
	/** Full time of the point. */
	time: pointTimeSchema,
	/** The state of the source that is read, or null: then there is no second attempt. */
	moment: z.string().max(200).nullable(),
	disks: z
		.array(z.strictObject({ sizeBytes: diskImageSchema.shape.sizeBytes }))
		.min(1)
		.max(64),
	chunkSizeBytes: diskImageSchema.shape.chunkSizeBytes,
	frameSizeBytes: diskImageSchema.shape.frameSizeBytes,
	/** What unchanged chunks are taken from; while the intent stands it is not removed. */
	base: baseNameSchema.nullable(),
	startedAt: z.iso.datetime(),
	/** With the pid, for people who find one left behind. */
	hostname: z.string().max(255),
	pid: z.int().min(1),
});
export type ImportIntent = z.infer<typeof intentSchema>;

/** What an attempt must have in common with the one before it to carry it on. */
export type ImportScope = Omit<ImportIntent, 'startedAt' | 'hostname' | 'pid'>;

/**
 * Announces an import; must be called before anything is read of points, packs, indexes or journals. The intent that stands:
 * ours, or that of an earlier attempt with this id. `identity_conflict` when that is not the same import.
 */
export async function announceImport(store: Store, scope: ImportScope, signal?: AbortSignal): Promise<ImportIntent> {
	const startedAt = new Date().toISOString();
	const intent = intentSchema.parse({ ...scope, startedAt, hostname: hostname(), pid: process.pid });
	const sealed = sealJson(type, intent);
	for (;;) {
		if (await store.putExclusive(keys.intent(scope.importId), sealed, signal)) return intent;
		const standing = await readIntent(store, scope.importId, signal);
		if (standing === undefined) continue; // it was removed between the two
		if (!isDeepStrictEqual(standing, intent)) refuseOther(standing, intent); // else ours: the answer was lost
		return standing;
	}
}

/** Chunks of two states of a source would make a disk that never was. */
function refuseOther(standing: ImportIntent, intent: ImportIntent): void {
	const { importId, machine, time, startedAt } = standing;
	const { hostname: host, pid } = intent;
	const isSame = isDeepStrictEqual({ ...standing, startedAt, hostname: host, pid }, { ...intent, startedAt });
	if (isSame && intent.moment !== null) return;
	const why =
		standing.moment === null || intent.moment === null
			? 'nothing tells whether its source is still what it was'
			: 'its source, machine, time, sizes or base are others';
	throw new RouseError(
		'identity_conflict',
		`import ${importId} of ${machine}@${time}, begun at ${startedAt}, cannot be gone on with: ${why}`,
		{ hint: 'import the machine anew: what that one stored is found and used' },
	);
}

/** Throws `format_damaged`, `repository_unsupported`. */
export async function readIntent(
	store: Store,
	importId: string,
	signal?: AbortSignal,
): Promise<ImportIntent | undefined> {
	const key = keys.intent(importId);
	const bytes = await readObject(store, key, { signal });
	if (bytes === undefined) return undefined;
	const intent = openSealedJson(type, intentSchema, bytes, key);
	if (intent.importId === importId) return intent;
	throw new RouseError('format_damaged', `${key} is the intent of import ${intent.importId}`, {
		hint: 'put this object back from a copy of the repository',
	});
}
