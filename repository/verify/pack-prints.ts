import { digestBytes } from '../format/digest.ts';
import type { PackFooter } from '../format/pack.ts';

/** What a pack's chunks come to, in any order: an index has them sorted by digest, and nobody can keep them all. */
export interface PackPrint {
	chunks: number;
	sum: number;
	/** Some index that is whole has it. */
	indexed: boolean;
}

/** Of each pack; undefined where its footer cannot be read. Some hundred bytes for each. */
export type PackPrints = Map<string, PackPrint | undefined>;

export function printOf({ chunks }: PackFooter): PackPrint {
	const digest = Buffer.alloc(digestBytes);
	let sum = 0;
	for (const { digest: hex, offsetBytes, storedBytes } of chunks) {
		digest.write(hex, 'hex');
		sum = (sum + chunkPrint(digest, 0, offsetBytes, storedBytes)) >>> 0;
	}
	return { chunks: chunks.length, sum, indexed: false };
}

/** A number of 32 bits for a chunk and its place. Against accidents: whoever can write an index can write any. */
export function chunkPrint(bytes: Buffer, digestAt: number, offsetBytes: number, storedBytes: number): number {
	// As FNV-1a does it, with words for bytes (Fowler, Noll, Vo).
	const prime = 0x01000193;
	let print = Math.imul(Math.imul(0x811c9dc5 ^ offsetBytes, prime) ^ storedBytes, prime);
	for (let at = digestAt; at < digestAt + digestBytes; at += 4)
		print = Math.imul(print ^ bytes.readUInt32LE(at), prime);
	return (print ^ (print >>> 15)) >>> 0;
}
