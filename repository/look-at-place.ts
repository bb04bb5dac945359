import type { ChunkRef } from '../model/chunk.ts';
import { type ChunkDamage, isChunkDamage, lostBytes } from './damage.ts';
import { badChunk, decodeChunk, rawBytesOf } from './format/chunk.ts';
import type { ChunkKind } from './format/frame-table.ts';
import { keys } from './format/keys.ts';
import { readPackFooter } from './pack-footers.ts';
import type { Store } from './store/contract.ts';

/** What lies in a place: the chunk, something else or less, or there is no such pack. */
export type Look =
	| { found: 'right'; stored: Buffer }
	| { found: 'wrong'; damage: ChunkDamage; stored?: Buffer }
	| { found: 'nothing' };

/** Reads a place and compares the digest. `kind`: undefined when nothing says whether it is a page. Throws `store_unreachable`. */
export async function lookAtPlace(store: Store, ref: ChunkRef, kind?: ChunkKind, signal?: AbortSignal): Promise<Look> {
	try {
		const bytes = await readPlace(store, ref, signal);
		if (bytes === undefined) return { found: 'nothing' };
		const damage = damageOf(ref, bytes, kind);
		return damage === undefined ? { found: 'right', stored: bytes } : { found: 'wrong', damage, stored: bytes };
	} catch (error) {
		if (isChunkDamage(error)) return { found: 'wrong', damage: error };
		throw error;
	}
}

async function readPlace(store: Store, ref: ChunkRef, signal: AbortSignal | undefined): Promise<Buffer | undefined> {
	const bytes = Buffer.allocUnsafeSlow(ref.storedBytes);
	const filled = await store.read(keys.pack(ref.packId), ref.offsetBytes, bytes, signal).catch((error: unknown) => {
		const lost = lostBytes(error);
		throw badChunk(ref, lost.message, lost);
	});
	if (filled !== undefined && filled < bytes.length)
		throw badChunk(ref, `its pack ends ${bytes.length - filled} bytes before it`);
	return filled === undefined ? undefined : bytes;
}

/** What is wrong with bytes that should be this chunk. Its digest tells how long it is: nobody need say that. */
function damageOf(ref: ChunkRef, stored: Buffer, kind?: ChunkKind): ChunkDamage | undefined {
	let damage: ChunkDamage | undefined;
	for (const candidate of kind === undefined ? (['chunk', 'page'] as const) : [kind])
		try {
			decodeChunk(ref, stored, rawBytesOf(stored) ?? 0, candidate);
			return undefined;
		} catch (error) {
			if (!isChunkDamage(error)) throw error;
			damage ??= error;
		}
	return damage;
}

/** Whether the pack is gone, or its footer intact and something else lies there: then the reference is old, and nothing is bad. */
export async function isOldPlace(store: Store, ref: ChunkRef, signal?: AbortSignal): Promise<boolean> {
	const { packId, offsetBytes, digest, storedBytes } = ref;
	try {
		const sizeBytes = await store.size(keys.pack(packId), signal);
		const footer = sizeBytes === undefined ? undefined : await readPackFooter(store, { packId, sizeBytes }, signal);
		const named = footer?.chunks.find(chunk => chunk.offsetBytes === offsetBytes);
		return named?.digest !== digest || named.storedBytes !== storedBytes;
	} catch (error) {
		lostBytes(error);
		return false;
	}
}
