import { badPlaceOfKey, indexIdOfKey, intentOfKey, journalOfKey, keys, packIdOfKey, pinOfKey } from '../format/keys.ts';
import { namedPoint } from '../points.ts';
import type { Verification } from './verification.ts';

/** Kept free for later versions, which say by features what they mean (docs/format.md, "Objects"). */
const reserved: readonly string[] = ['condemned/', 'keys/', 'rollups/'];

export interface ObjectTotals {
	objects: number;
	/** Of packs and indexes: what is to be read whole. */
	bytes: number;
}

/** Lists everything once: what no key names is told, and so is what crashes have left. */
export async function verifyKeys({ repository: { store }, findings, signal }: Verification): Promise<ObjectTotals> {
	const totals = { objects: 0, bytes: 0 };
	for await (const { key, sizeBytes } of store.list('', signal)) {
		totals.objects++;
		if (key.startsWith(keys.packs) || key.startsWith(keys.indexes)) totals.bytes += sizeBytes;
		if (isKnown(key)) continue;
		const later = reserved.some(prefix => key.startsWith(prefix));
		findings.notice(
			key,
			'key_unknown',
			later ? 'such objects are of a later version' : 'no object of a repository is called so',
			later ? 'use a newer version of Rouse' : 'look what it is, and move it elsewhere',
		);
	}
	for await (const { key, sizeBytes } of store.leftovers?.(signal) ?? [])
		findings.notice(
			key,
			'temporary_left',
			`${sizeBytes} bytes that never became an object: left by a crash, or being written now`,
			'remove it while no import is under way',
		);
	return totals;
}

function isKnown(key: string): boolean {
	if (key === keys.header || key === keys.headerCopy || key.startsWith(keys.features)) return true;
	return [packIdOfKey, indexIdOfKey, namedPoint, badPlaceOfKey, pinOfKey, intentOfKey, journalOfKey].some(
		named => named(key) !== undefined,
	);
}
