import { badPlaceOfKey, indexIdOfKey, keys, packIdOfKey, pointOfKey } from '../format/keys.ts';
import type { Verification } from './verification.ts';

const uuid = '[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}';

/** Objects whose key is all that says what they are. */
const plain: readonly RegExp[] = [
	new RegExp(`^${keys.intents}${uuid}$`),
	new RegExp(`^${keys.pins}${uuid}$`),
	new RegExp(`^${keys.journals}${uuid}/\\d{10}$`),
];

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
	if ((packIdOfKey(key) ?? indexIdOfKey(key) ?? pointOfKey(key) ?? badPlaceOfKey(key)) !== undefined) return true;
	return plain.some(pattern => pattern.test(key));
}
