import { digestBytes } from '../../repository/format/digest.ts';
import { indexPackBytes, indexRecordBytes, writePlace } from '../../repository/format/index-object.ts';
import { encodePackEnd, packEndBytes } from '../../repository/format/pack.ts';

/** As 128 KiB become when they are halved. */
const storedBytes = 64 * 1024;
/** A prime, so that neighbours in a pack are far from each other by digest. */
const stride = 7_368_787;

/** Chunks of one index that nobody has stored: digests in ascending order, spread over packs as if at random. */
export class SimulatedIndex {
	readonly #number: number;
	#inverse: number | undefined;
	readonly packs: number;
	readonly chunksPerPack: number;

	constructor(number: number, packs: number, chunksPerPack: number) {
		this.#number = number;
		this.packs = packs;
		this.chunksPerPack = chunksPerPack;
	}

	get records(): number {
		return this.packs * this.chunksPerPack;
	}

	get packBytes(): number {
		return storedBytes * this.chunksPerPack + packEndBytes(this.chunksPerPack);
	}

	packId(pack: number): string {
		const id = Buffer.alloc(16);
		id.writeUInt32BE(spread(pack, this.packs), 0);
		id.writeUInt32BE(this.#number, 4);
		id.writeUInt32BE(pack, 8);
		return id.toString('hex');
	}

	table(): Buffer {
		const table = Buffer.alloc(indexPackBytes * this.packs);
		for (let pack = 0; pack < this.packs; pack += 1) {
			table.write(this.packId(pack), indexPackBytes * pack, 16, 'hex');
			table.writeUInt32LE(this.packBytes, indexPackBytes * pack + 16);
		}
		return table;
	}

	async *blocks(): AsyncGenerator<Buffer> {
		const block = Buffer.alloc(indexRecordBytes * 4096);
		let filled = 0;
		for (let rank = 0; rank < this.records; rank += 1) {
			this.#writeDigest(rank, block, filled);
			const chunk = (rank * stride) % this.records;
			const packNumber = Math.floor(chunk / this.chunksPerPack);
			const offsetBytes = storedBytes * (chunk % this.chunksPerPack);
			writePlace(block, filled, { packNumber, offsetBytes, storedBytes });
			filled += indexRecordBytes;
			if (filled < block.length) continue;
			yield block;
			filled = 0;
		}
		yield block.subarray(0, filled);
	}

	/** Footer and trailer of one of its packs, of which nobody reads the rest. */
	packEnd(pack: number): Buffer {
		const chunks = Array.from({ length: this.chunksPerPack }, (_, position) => ({
			digest: this.digest(pack, position).toString('hex'),
			offsetBytes: storedBytes * position,
			storedBytes,
		}));
		const rawBytes = 2 * storedBytes * this.chunksPerPack;
		return encodePackEnd({
			packId: this.packId(pack),
			kind: 'chunk',
			rawBytes,
			chunks,
			dataDigest: Buffer.alloc(digestBytes),
		});
	}

	digest(pack: number, position: number): Buffer {
		const digest = Buffer.alloc(digestBytes);
		this.#writeDigest(this.#rankOf(pack * this.chunksPerPack + position), digest, 0);
		return digest;
	}

	#rankOf(chunk: number): number {
		this.#inverse ??= inverse(stride, this.records);
		return (chunk * this.#inverse) % this.records; // below 2^48
	}

	#writeDigest(rank: number, into: Buffer, at: number): void {
		const [from, to] = [spread(rank, this.records), spread(rank + 1, this.records)];
		into.writeUInt32BE(from + (mixed(rank + 1_000_003 * this.#number) % Math.max(1, to - from)), at);
		for (let word = 1; word < digestBytes / 4; word += 1)
			into.writeUInt32LE(mixed(rank ^ mixed(word + 100 * this.#number)), at + 4 * word);
		into.writeUInt32BE(rank, at + 4); // two that are spread to the same number stay in order
	}
}

/** Evenly over 32 bits. */
function spread(number: number, count: number): number {
	return Math.floor((number / count) * 2 ** 32);
}

/** The finalizer of MurmurHash3. */
function mixed(value: number): number {
	let hash = value;
	hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
	return (hash ^ (hash >>> 16)) >>> 0;
}

function inverse(of: number, modulus: number): number {
	let [a, b, x, y] = [of, modulus, 1, 0];
	while (b > 0) {
		const quotient = Math.floor(a / b);
		[a, b, x, y] = [b, a - quotient * b, y, x - quotient * y];
	}
	if (a !== 1) throw new Error(`${of} and ${modulus} have a common factor`);
	return ((x % modulus) + modulus) % modulus;
}

/** What is left when an index was written for 64 packs each time, and four of a size merged. */
export function simulatedIndexes(chunks: number, chunksPerPack: number): SimulatedIndex[] {
	const indexes: SimulatedIndex[] = [];
	let left = Math.floor(chunks / chunksPerPack);
	const sizes = [64 * 1024, 64 * 256, 64 * 64, 64 * 16, 64 * 4, 64];
	for (const [place, size] of sizes.entries()) {
		// Three of each smaller size are not merged yet.
		const smaller = sizes.slice(place + 1).reduce((total, packs) => total + 3 * packs, 0);
		while (left >= size + smaller || (left >= size && place === sizes.length - 1)) {
			indexes.push(new SimulatedIndex(indexes.length, size, chunksPerPack));
			left -= size;
		}
	}
	return indexes;
}

/** New ones, and as many that are known. */
export const lookups = 100_000;
/** Known ones, each in another pack. */
export const scatteredLookups = 300;

/** Packs that are looked up chunk by chunk; the scattered ones come from those behind these. */
export function knownRounds(chunksPerPack: number): number {
	return Math.ceil(lookups / chunksPerPack);
}

/** From all over the repository, by rounds, the packs whose chunks are looked up. */
export function packOfRound(indexes: readonly SimulatedIndex[], round: number): { from: SimulatedIndex; pack: number } {
	const from = indexes[round % indexes.length];
	if (from === undefined) throw new Error('no index, so no pack');
	return { from, pack: (round * 7919) % from.packs };
}
