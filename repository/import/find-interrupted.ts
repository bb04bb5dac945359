import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { RouseError } from '../../model/errors.ts';
import { hasEnded } from '../../system/has-ended.ts';
import { isUnusable } from '../damage.ts';
import { keys } from '../format/keys.ts';
import type { Store } from '../store/contract.ts';
import { type ImportIntent, type ImportScope, readIntent } from './intent.ts';

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
	for await (const { key } of store.list(keys.intents, signal)) {
		const intent = await ifReadable(readIntent(store, key.slice(keys.intents.length), signal));
		if (intent === undefined || (time !== undefined && intent.time !== time)) continue;
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

/** One that is damaged, lost by the medium, or of a later version, keeps nobody from importing: it is only not gone on with. */
async function ifReadable(reading: Promise<ImportIntent | undefined>): Promise<ImportIntent | undefined> {
	try {
		return await reading;
	} catch (error) {
		if (isUnusable(error) || (error instanceof RouseError && error.code === 'repository_unsupported')) return undefined;
		throw error;
	}
}
