/** The region table: [MS-VHDX] 2.2.3. */
import { exactBytes } from '../model/format-bytes.ts';
import { type ByteSource, bytesInside, mustLieInside, refused } from './byte-source.ts';
import { mebibyte, mostRegions, regionSignature, regions, regionTableBytes, regionTablesAtBytes } from './constants.ts';
import { FieldReader } from './field-reader.ts';
import type { Extent } from './header-section.ts';
import type { UsedSpace } from './used-space.ts';

export interface Regions {
	readonly blockTable: Extent;
	readonly metadata: Extent;
}

/** Takes the space of all regions. Throws `source_invalid`, also for a region that is required and not known. */
export async function readRegions(source: ByteSource, space: UsedSpace, signal?: AbortSignal): Promise<Regions> {
	const [first, second] = regionTablesAtBytes;
	const table = new FieldReader(await bytesInside(source, 'region table', first, regionTableBytes, signal));
	const copy = await bytesInside(source, 'region table', second, regionTableBytes, signal);
	const wrong = (what: string) => refused(source, `its region table ${what}`);
	if (Buffer.compare(table.bytes, copy) !== 0) throw wrong('and its copy differ');
	if (table.text(0, 4) !== regionSignature) throw wrong(`does not begin with "${regionSignature}"`);
	if (!table.hasChecksum()) throw wrong('has a wrong checksum');
	const count = table.u32(8);
	if (count > mostRegions) throw wrong(`has ${count} entries, and at most there are ${mostRegions}`);
	if (table.u32(12) !== 0) throw wrong('uses a field that is reserved');
	const found = new Map<string, Extent>();
	for (let index = 0; index < count; index++) {
		const at = 16 + index * 32;
		const [guid, required] = [table.guid(at), table.u32(at + 28)];
		const extent = { atBytes: table.place(at + 16), lengthBytes: table.u32(at + 24) };
		const saying = `region ${guid} of ${exactBytes(extent.lengthBytes)} at offset ${extent.atBytes}`;
		if (required > 1) throw wrong(`uses a reserved field of ${saying}`);
		if (extent.atBytes % mebibyte !== 0 || extent.lengthBytes % mebibyte !== 0 || extent.lengthBytes === 0)
			throw wrong(`has the ${saying}, which is not in whole MiB`);
		mustLieInside(source, `region ${guid}`, extent.atBytes, extent.lengthBytes);
		if (!space.take(extent.atBytes, extent.lengthBytes)) throw wrong(`has the ${saying}, where something else lies`);
		if (found.has(guid)) throw wrong(`has region ${guid} twice`);
		if (required === 1 && guid !== regions.blockTable && guid !== regions.metadata)
			throw wrong(`requires region ${guid}, which is not known here`);
		found.set(guid, extent);
	}
	const [blockTable, metadata] = [found.get(regions.blockTable), found.get(regions.metadata)];
	if (!blockTable || !metadata) throw wrong(`names no ${blockTable ? 'metadata' : 'block allocation table'}`);
	return { blockTable, metadata };
}
