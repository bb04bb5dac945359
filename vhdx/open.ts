import { exactBytes } from '../model/format-bytes.ts';
import { checkBlockTable, type TableProgress } from './block-table.ts';
import { type ByteSource, mustLieInside, refused } from './byte-source.ts';
import { largestDiskBytes, mebibyte } from './constants.ts';
import type { Extent, FileIds } from './header-section.ts';
import { currentHeader } from './parse-headers.ts';
import { type Metadata, readMetadata } from './parse-metadata.ts';
import { readRegions } from './parse-regions.ts';
import { UsedSpace } from './used-space.ts';

/** A VHDX whose tables were all looked at. */
export interface Vhdx extends Pick<Metadata, 'geometry' | 'type' | 'parent'> {
	readonly source: ByteSource;
	readonly ids: FileIds;
	readonly blockTable: Extent;
}

/** A disk of 64 TiB in its worst order, and as much again of what nothing refers to. */
const largestFileBytes = 2 * largestDiskBytes;

/**
 * Reads headers, regions, metadata and the whole block allocation table, and refuses what the format does not allow, what is
 * not known here, and a log that is not empty: `source_invalid`. Memory is bounded by the file's length: one MiB, and a bit
 * for each MiB that is used. `seen` is told up to where on the disk the table was looked at, and how large it is; often.
 */
export async function openVhdx(source: ByteSource, signal?: AbortSignal, seen?: TableProgress): Promise<Vhdx> {
	const space = new UsedSpace();
	const vhdx = await readTables(source, space, signal);
	await checkBlockTable(source, vhdx.blockTable, { ...vhdx, space, seen }, signal);
	return vhdx;
}

/** What a VHDX is, without a look at its block allocation table. Throws `source_invalid` like {@link openVhdx}. */
export async function describeVhdx(source: ByteSource, signal?: AbortSignal): Promise<Omit<Vhdx, 'blockTable'>> {
	return await readTables(source, new UsedSpace(), signal);
}

async function readTables(source: ByteSource, space: UsedSpace, signal?: AbortSignal): Promise<Vhdx> {
	mustLieInside(source, 'header section', 0, mebibyte);
	if (source.sizeBytes > largestFileBytes)
		throw refused(
			source,
			`it has ${exactBytes(source.sizeBytes)}, and the largest disk needs no more than ${exactBytes(largestFileBytes)}`,
		);
	const { fileWriteGuid, dataWriteGuid, log } = await currentHeader(source, signal);
	space.take(0, mebibyte);
	mustLieInside(source, 'log', log.atBytes, log.lengthBytes);
	if (!space.take(log.atBytes, log.lengthBytes))
		throw refused(source, `its log lies at offset ${log.atBytes}, within the headers`);
	const regions = await readRegions(source, space, signal);
	const { geometry, type, virtualDiskId, parent } = await readMetadata(source, regions.metadata, signal);
	const ids = { fileWriteGuid, dataWriteGuid, virtualDiskId };
	return { source, ids, geometry, type, parent, blockTable: regions.blockTable };
}
