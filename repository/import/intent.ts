import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import * as z from 'zod';
import { machineNameSchema } from '../../model/machine.ts';
import { pointTimeSchema } from '../../model/names.ts';
import { RouseError } from '../../model/errors.ts';
import { keys } from '../format/keys.ts';
import { openSealedJson, sealJson } from '../format/sealed-json.ts';
import type { Store } from '../store/contract.ts';

const type = 'rouse-intent';

/** An import under way: while it stands, nothing that the import may rely on is removed (docs/format.md, "Intent"). */
export const intentSchema = z.strictObject({
	importId: z.uuid(),
	machine: machineNameSchema,
	time: pointTimeSchema,
	startedAt: z.iso.datetime(),
	/** For people who find one left behind. */
	hostname: z.string(),
	pid: z.int(),
});
export type ImportIntent = z.infer<typeof intentSchema>;

/** Announces an import; must be called before the first footer is read. Returns the key. */
export async function announceImport(store: Store, machine: string, time: string): Promise<string> {
	const importId = randomUUID();
	const startedAt = new Date().toISOString();
	const intent: ImportIntent = { importId, machine, time, startedAt, hostname: hostname(), pid: process.pid };
	const key = keys.intent(importId);
	if (!(await store.putExclusive(key, sealJson(type, intent))))
		throw new RouseError('internal', `an intent with the random id ${importId} exists already`);
	return key;
}

export function decodeIntent(bytes: Uint8Array, key: string): ImportIntent {
	return openSealedJson(type, intentSchema, bytes, key);
}
