import { hostname } from 'node:os';
import * as z from 'zod';
import { diskImageSchema } from '../../model/chunk.ts';
import { machineNameSchema } from '../../model/machine.ts';
import { pointTimeSchema } from '../../model/names.ts';
import { keys } from '../format/keys.ts';
import { openSealedJson, sealJson } from '../format/sealed-json.ts';
import { readObject } from '../read-object.ts';
import type { Store } from '../store/contract.ts';

const type = 'rouse-intent';

/** An import under way: while it stands, nothing that the import may rely on is removed (docs/format.md, "Intent"). */
export const intentSchema = z.strictObject({
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
 * ours, or that of an earlier attempt with this id.
 */
export async function announceImport(store: Store, scope: ImportScope, signal?: AbortSignal): Promise<ImportIntent> {
	const startedAt = new Date().toISOString();
	const intent: ImportIntent = { ...scope, startedAt, hostname: hostname(), pid: process.pid };
	const sealed = sealJson(type, intentSchema.parse(intent));
	for (;;) {
		if (await store.putExclusive(keys.intent(scope.importId), sealed, signal)) return intent;
		const standing = await readIntent(store, scope.importId, signal);
		if (standing !== undefined) return standing; // else it was removed between the two
	}
}

/** Throws `format_damaged`, `repository_unsupported`. */
export async function readIntent(
	store: Store,
	importId: string,
	signal?: AbortSignal,
): Promise<ImportIntent | undefined> {
	const key = keys.intent(importId);
	const bytes = await readObject(store, key, { signal });
	return bytes && openSealedJson(type, intentSchema, bytes, key);
}
