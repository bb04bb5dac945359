/** The metadata: [MS-VHDX] 2.6. */
import { exactBytes } from '../model/format-bytes.ts';
import { type ByteSource, bytesInside, refused } from './byte-source.ts';
import {
	fileParameterFlags,
	itemFlags,
	items,
	metadataSignature,
	metadataTableBytes,
	mostMetadataItemBytes,
	mostMetadataItems,
} from './constants.ts';
import { FieldReader } from './field-reader.ts';
import { type Geometry, geometryProblem, isSectorSize } from './geometry.ts';
import type { Extent } from './header-section.ts';
import type { DiskType } from './metadata-region.ts';
import type { ParentLocator } from './parent-locator.ts';
import { parseLocator } from './parse-locator.ts';

export interface Metadata {
	readonly geometry: Geometry;
	readonly type: DiskType;
	readonly virtualDiskId: string;
	/** Of a differencing disk. */
	readonly parent: ParentLocator | undefined;
}

/** 2.6.1.1, 2.6.1.2: the table's head is as long as each of its entries. */
const entryBytes = 32;

const knownItems = new Set<string>(Object.values(items));

/** Throws `source_invalid`, also for an item that is required and not known. */
export async function readMetadata(source: ByteSource, region: Extent, signal?: AbortSignal): Promise<Metadata> {
	const found = await itemsOf(source, region, signal);
	const wrong = (what: string) => refused(source, `its metadata ${what}`);
	const item = async (guid: string, what: string, lengthBytes: number): Promise<FieldReader> => {
		const extent = found.get(guid);
		if (!extent) throw wrong(`lack the ${what}`);
		if (extent.lengthBytes !== lengthBytes)
			throw wrong(`have a ${what} of ${exactBytes(extent.lengthBytes)} instead of ${lengthBytes}`);
		return new FieldReader(await bytesInside(source, what, extent.atBytes, lengthBytes, signal));
	};
	const parameters = await item(items.fileParameters, 'file parameters', 8);
	const size = (await item(items.virtualDiskSize, 'disk size', 8)).u64(0);
	const logicalSectorBytes = (await item(items.logicalSectorSize, 'logical sector size', 4)).u32(0);
	const physicalSectorBytes = (await item(items.physicalSectorSize, 'physical sector size', 4)).u32(0);
	const virtualDiskId = (await item(items.virtualDiskId, 'disk id', 16)).guid(0);
	const measures = { sizeBytes: Number(size), blockBytes: parameters.u32(0), logicalSectorBytes, physicalSectorBytes };
	const problem = geometryProblem(measures);
	if (problem !== undefined || !isSectorSize(logicalSectorBytes) || !isSectorSize(physicalSectorBytes))
		throw refused(source, problem ?? 'its sectors have no known size');
	const flags = parameters.u32(4);
	const { leaveBlocksAllocated, hasParent } = fileParameterFlags;
	if (flags > (leaveBlocksAllocated | hasParent)) throw wrong(`have file parameters with unknown flags: ${flags}`);
	const isDifferencing = (flags & hasParent) !== 0;
	const locator = found.get(items.parentLocator);
	if (isDifferencing !== (locator !== undefined))
		throw wrong(isDifferencing ? 'say that there is a parent, and do not name it' : 'name a parent that there is not');
	const geometry: Geometry = { ...measures, logicalSectorBytes, physicalSectorBytes };
	const type = isDifferencing ? 'differencing' : flags & leaveBlocksAllocated ? 'fixed' : 'dynamic';
	const parent =
		locator &&
		parseLocator(source, await bytesInside(source, 'parent locator', locator.atBytes, locator.lengthBytes, signal));
	return { geometry, type, virtualDiskId, parent };
}

/** The known items, by place in the file. */
async function itemsOf(source: ByteSource, region: Extent, signal?: AbortSignal): Promise<Map<string, Extent>> {
	const wrong = (what: string) => refused(source, `its metadata table ${what}`);
	const head = new FieldReader(await bytesInside(source, 'metadata table', region.atBytes, entryBytes, signal));
	if (head.text(0, 8) !== metadataSignature) throw wrong(`does not begin with "${metadataSignature}"`);
	const count = head.u16(10);
	if (count > mostMetadataItems) throw wrong(`has ${count} entries, and at most there are ${mostMetadataItems}`);
	if (head.u16(8) !== 0 || !head.isZero(12, 20)) throw wrong('uses a field that is reserved');
	const entriesAt = region.atBytes + entryBytes;
	const table = new FieldReader(await bytesInside(source, 'metadata table', entriesAt, count * entryBytes, signal));
	const found = new Map<string, Extent>();
	const places: Extent[] = [];
	for (let index = 0; index < count; index++) {
		const at = index * entryBytes;
		const guid = table.guid(at);
		const [offset, lengthBytes] = [table.u32(at + 16), table.u32(at + 20)];
		const flags = table.u32(at + 24);
		const saying = `item ${guid} of ${exactBytes(lengthBytes)} at offset ${offset}`;
		if (flags > 7 || (table.u32(at + 28) & 3) !== 0) throw wrong(`uses a reserved field of ${saying}`);
		if (lengthBytes > mostMetadataItemBytes || offset + lengthBytes > region.lengthBytes)
			throw wrong(`has the ${saying}, which lies not within its region`);
		// 2.6.1.2: an item may be empty, and then has no place.
		if (lengthBytes === 0 ? offset !== 0 : offset < metadataTableBytes)
			throw wrong(`has the ${saying}, which is no place of an item`);
		places.push({ atBytes: offset, lengthBytes });
		const isKnown = knownItems.has(guid) && (flags & itemFlags.isUser) === 0;
		if (!isKnown && (flags & itemFlags.isRequired) !== 0) throw wrong(`requires item ${guid}, which is not known here`);
		if (!isKnown) continue;
		if (found.has(guid)) throw wrong(`has item ${guid} twice`);
		found.set(guid, { atBytes: region.atBytes + offset, lengthBytes });
	}
	if (overlap(places)) throw wrong('has items that overlap');
	return found;
}

function overlap(places: readonly Extent[]): boolean {
	let endBytes = 0;
	for (const { atBytes, lengthBytes } of places.toSorted((one, other) => one.atBytes - other.atBytes)) {
		if (lengthBytes === 0) continue;
		if (atBytes < endBytes) return true;
		endBytes = atBytes + lengthBytes;
	}
	return false;
}
