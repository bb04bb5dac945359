/** The map of a sparse member in GNU tar's own form: GNU tar manual, "Basic Tar Format" (`struct sparse_header`). */
import { blockBytes, type TarHeader, tarNumber } from '../tar/header.ts';
import { refused } from '../tar/refused.ts';
import { SparseMap } from '../tar/sparse-map.ts';
import type { ByteReader } from './byte-reader.ts';

const numberBytes = 12;
const partBytes = 2 * numberBytes;
const inHeader = { atBytes: 386, parts: 4, moreAtBytes: 482 };
const realSizeAtBytes = 483;
/** Blocks behind the header, as long as each says that there is another one. */
const inBlock = { atBytes: 0, parts: 21, moreAtBytes: 504 };

export async function oldGnuMap(
	{ block }: TarHeader,
	reader: ByteReader,
	signal: AbortSignal,
): Promise<{ map: SparseMap; realBytes: number }> {
	const map = new SparseMap();
	let more = addParts(map, block, inHeader);
	while (more) more = addParts(map, await reader.take(blockBytes, 'its map', signal), inBlock);
	const realBytes = tarNumber(block.subarray(realSizeAtBytes, realSizeAtBytes + numberBytes), 'the size of the disk');
	return { map, realBytes };
}

/** Tells whether another block follows. */
function addParts(map: SparseMap, block: Buffer, { atBytes, parts, moreAtBytes }: typeof inHeader): boolean {
	const end = atBytes + parts * partBytes;
	const more = block.readUInt8(moreAtBytes);
	if (more > 1) throw refused(`its map has ${more} where it says whether it goes on`);
	for (let at = atBytes; at < end; at += partBytes) {
		if (block.readUInt8(at + numberBytes) === 0) {
			if (more === 1 || block.subarray(at, end).some(byte => byte !== 0))
				throw refused('its map goes on behind its end');
			return false;
		}
		const offsetBytes = tarNumber(block.subarray(at, at + numberBytes), 'an offset of its map');
		map.add(offsetBytes, tarNumber(block.subarray(at + numberBytes, at + partBytes), 'a length of its map'));
	}
	return more === 1;
}
