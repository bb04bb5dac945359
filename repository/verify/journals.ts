import { digestBytes, digestOf } from '../format/digest.ts';
import { decodeJournal } from '../format/journal.ts';
import { journalOfKey, keys } from '../format/keys.ts';
import { limits } from '../format/limits.ts';
import { type ImportIntent, readIntent } from '../import/intent.ts';
import { readObject } from '../read-object.ts';
import { isStored } from '../stored-header.ts';
import { unlessUnreadable } from './small-objects.ts';
import type { Verification } from './verification.ts';

const hint = 'the next attempt of this import stores anew what it told; nothing else needs it';

/** Every object of every journal; those whose import has no intent are told, once. */
export async function verifyJournals(work: Verification): Promise<void> {
	const { repository, findings, signal } = work;
	let importId: string | undefined;
	let intent: ImportIntent | undefined;
	for await (const { key } of repository.store.list(keys.journals, signal)) {
		const journal = journalOfKey(key);
		if (journal === undefined) continue;
		if (journal.importId !== importId) {
			importId = journal.importId;
			intent = await intentOf(work, importId, key);
		}
		try {
			const bytes = await readObject(repository.store, key, { maxBytes: limits.journalBytes, signal });
			if (bytes !== undefined) tellOf(work, key, bytes, journal, intent);
		} catch (error) {
			findings.error(key, unlessUnreadable(error), hint);
		}
	}
}

async function intentOf(
	{ repository: { store }, findings, signal }: Verification,
	importId: string,
	key: string,
): Promise<ImportIntent | undefined> {
	try {
		const intent = await readIntent(store, importId, signal);
		// An import that ends takes its journal away first: one that is there still was left.
		if (intent === undefined && (await isStored(store, key, signal)))
			findings.notice(
				keys.journalOf(importId),
				'journal_left',
				'the journal of an import that nothing announces',
				'the next import removes it',
			);
		return intent;
	} catch (error) {
		unlessUnreadable(error); // told where intents are
		return undefined;
	}
}

/** Throws `format_damaged`. How many chunks there may be the intent alone tells: without it only the digest is compared. */
function tellOf(
	{ findings }: Verification,
	key: string,
	bytes: Buffer,
	{ importId, number }: { importId: string; number: number },
	intent: ImportIntent | undefined,
): void {
	if (intent !== undefined) {
		const { chunkSizeBytes, disks, base } = intent;
		const chunkCounts = disks.map(({ sizeBytes }) => Math.ceil(sizeBytes / chunkSizeBytes));
		decodeJournal(bytes, { importId, number, chunkCounts, hasBase: base !== null });
		return;
	}
	const end = Math.max(0, bytes.length - digestBytes);
	if (!digestOf(bytes.subarray(0, end)).equals(bytes.subarray(end)))
		findings.damage(key, 'format_damaged', `${key} does not match its digest`, hint);
}
