import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { RouseError } from '../../model/errors.ts';
import { keys } from '../format/keys.ts';
import { sealJson } from '../format/sealed-json.ts';
import type { Store } from '../store/contract.ts';

const type = 'rouse-intent';

/** An import under way: while it stands, nothing that the import may rely on is removed (docs/format.md, "Intent"). */
interface ImportIntent {
	importId: string;
	machine: string;
	/** Full time of the point. */
	time: string;
	/** RFC 3339. */
	startedAt: string;
	/** With the pid, for people who find one left behind. */
	hostname: string;
	pid: number;
}

/** Announces an import; must be called before the first footer is read. Returns the key. */
export async function announceImport(
	store: Store,
	machine: string,
	time: string,
	signal?: AbortSignal,
): Promise<string> {
	const importId = randomUUID();
	const startedAt = new Date().toISOString();
	const intent: ImportIntent = { importId, machine, time, startedAt, hostname: hostname(), pid: process.pid };
	const key = keys.intent(importId);
	if (!(await store.putExclusive(key, sealJson(type, intent), signal)))
		throw new RouseError('internal', `an intent with the random id ${importId} exists already`);
	return key;
}
