import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { hasEnded } from '../../system/has-ended.ts';
import type { Store } from '../store/contract.ts';
import type { ImportIntent, ImportScope } from './intent.ts';
import { intentsOf } from './intents-of.ts';

/** What two attempts of one import have in common, but for its id and time. */
export type SameSource = Omit<ImportScope, 'importId' | 'time' | 'moment'> & { moment: string };

interface FindOptions {
	/** Of the point, when it is said. */
	time?: string | undefined;
	/** Whether the process that announced it has ended. */
	isGone?: (intent: ImportIntent) => Promise<boolean>;
	signal?: AbortSignal | undefined;
}

/** The latest import of this machine, from this state of its source, that was begun on this host and whose process is gone. */
export async function findInterrupted(
	store: Store,
	same: SameSource,
	{ time, isGone = isGoneHere, signal }: FindOptions = {},
): Promise<ImportIntent | undefined> {
	let latest: ImportIntent | undefined;
	for await (const intent of intentsOf(store, same.machine, signal)) {
		if (time !== undefined && intent.time !== time) continue;
		const { machine, moment, disks, chunkSizeBytes, frameSizeBytes, base } = intent;
		if (!isDeepStrictEqual({ machine, moment, disks, chunkSizeBytes, frameSizeBytes, base }, same)) continue;
		if (latest !== undefined && latest.startedAt >= intent.startedAt) continue;
		if (await isGone(intent)) latest = intent;
	}
	return latest;
}

/** Of another host nothing here tells. */
async function isGoneHere(intent: ImportIntent): Promise<boolean> {
	return intent.hostname === hostname() && (await hasEnded(intent.pid, new Date(intent.startedAt)));
}
