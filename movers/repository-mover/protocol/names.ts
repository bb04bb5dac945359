import type { ChunkRef } from '../../../model/chunk.ts';
import { RouseError } from '../../../model/errors.ts';
import type { PlacedRef, PlaceInPoint } from '../../../repository/chunk-source.ts';
import { chunkRefBytes, decodeChunkRef, encodeChunkRef } from '../../../repository/format/reference.ts';
import type { Naming } from './hello.ts';

const digestBytes = 32;
const placeBytes = 44;

/** Of one name. */
export const nameBytes: Readonly<Record<Naming, number>> = { references: chunkRefBytes, places: placeBytes };

/** Writes the names of these chunks at `at`; `internal` for one that is asked for without its place where places are said. */
export function encodeNames(naming: Naming, refs: readonly PlacedRef[], into: Buffer, at: number): void {
	const bytes = nameBytes[naming];
	for (const [n, ref] of refs.entries())
		if (naming === 'references') encodeChunkRef(ref, into, at + n * bytes);
		else encodePlace(ref, into, at + n * bytes);
}

function encodePlace({ digest, place }: PlacedRef, into: Buffer, at: number): void {
	if (place === undefined) throw new RouseError('internal', `chunk ${digest} is asked for without its place`);
	into.write(place.root, at, digestBytes, 'hex');
	into.writeUInt32LE(place.height, at + digestBytes);
	into.writeBigUInt64LE(BigInt(place.number), at + digestBytes + 4);
}

/** Throws `protocol` for what is no list of places. */
export function decodePlaces(names: Buffer): PlaceInPoint[] {
	mustBeList(names, placeBytes);
	const places: PlaceInPoint[] = [];
	for (let at = 0; at < names.length; at += placeBytes)
		places.push({
			root: names.toString('hex', at, at + digestBytes),
			height: names.readUInt32LE(at + digestBytes),
			number: Number(names.readBigUInt64LE(at + digestBytes + 4)),
		});
	return places;
}

/** Throws `protocol` for what is no list of references, `format_damaged` for one that no page holds. */
export function decodeReferences(names: Buffer): ChunkRef[] {
	mustBeList(names, chunkRefBytes);
	const refs: ChunkRef[] = [];
	for (let at = 0; at < names.length; at += chunkRefBytes) {
		const entry = decodeChunkRef(names, at);
		if (entry === 'zero') throw new RouseError('protocol', `reference ${refs.length} is a zero entry`);
		refs.push(entry);
	}
	return refs;
}

function mustBeList(names: Buffer, bytes: number): void {
	if (names.length === 0 || names.length % bytes !== 0)
		throw new RouseError('protocol', `${names.length} bytes are no names of ${bytes} bytes`);
}
