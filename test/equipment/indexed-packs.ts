import { digestOf } from '../../repository/format/digest.ts';
import { keys } from '../../repository/format/keys.ts';
import { encodePackEnd, type PackFooter } from '../../repository/format/pack.ts';
import type { IndexedPack } from '../../repository/index/index-draft.ts';
import type { Store } from '../../repository/store/contract.ts';

/** The digest of a chunk that has this number, for who needs many that are different. */
export function digestNumber(number: number): string {
	return digestOf(Buffer.from(String(number))).toString('hex');
}

export function packNumber(number: number): string {
	return digestNumber(number).slice(0, 32);
}

/** A pack whose footer tells of these chunks; what lies before it is nothing. */
export async function putPack(store: Store, packId: string, digests: readonly string[]): Promise<IndexedPack> {
	const storedBytes = 41;
	const chunks = digests.map((digest, number) => ({ digest, offsetBytes: storedBytes * number, storedBytes }));
	const data = Buffer.alloc(storedBytes * chunks.length);
	const footer: PackFooter = { packId, kind: 'chunk', rawBytes: data.length, chunks, dataDigest: digestOf(data) };
	const bytes = Buffer.concat([data, encodePackEnd(footer)]);
	await store.putExclusive(keys.pack(packId), bytes);
	return { footer, sizeBytes: bytes.length };
}
