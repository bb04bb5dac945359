import { attributesOf, attributeTypes, fileNameOf, type NonResident, type Resident } from './attributes.ts';
import { bootSectorBytes, type NtfsGeometry, parseBootSector } from './boot-sector.ts';
import { damaged } from './damaged.ts';
import { decodeRecord, type MftRecord } from './record.ts';
import type { Run } from './runs.ts';

/** Bytes of the partition; throws when they are not all there. */
export type ReadAt = (offsetBytes: number, lengthBytes: number) => Promise<Buffer>;

export interface FileRecord {
	record: MftRecord;
	/** Where in the partition the record is. */
	atBytes: number;
	data: NonResident;
}

/** A fresh volume has 64, and one for each file. */
const mostRecords = 4096;
const rootRecord = 5;

interface Entry {
	record: MftRecord;
	attributes: (Resident | NonResident)[];
}

/** What a partition with an NTFS holds, as far as files in its root need it. Throws `format_damaged`. */
export class Mft {
	readonly geometry: NtfsGeometry;
	readonly #runs: readonly Run[];
	readonly #entries: readonly Entry[];

	private constructor(geometry: NtfsGeometry, runs: readonly Run[], entries: readonly Entry[]) {
		this.geometry = geometry;
		this.#runs = runs;
		this.#entries = entries;
	}

	static async read(readAt: ReadAt, partitionBytes: number): Promise<Mft> {
		const geometry = parseBootSector(await readAt(0, bootSectorBytes), partitionBytes);
		const { recordBytes, clusters } = geometry;
		const first = decodeRecord(await readAt(geometry.mftAtBytes, recordBytes), 0);
		const own = first && unnamedData(attributesOf(first, clusters));
		if (!own) throw damaged('$MFT has no clusters');
		const count = own.initializedBytes / recordBytes;
		if (!Number.isInteger(count) || count > mostRecords || own.initializedBytes > own.allocatedBytes)
			throw damaged(`an MFT of ${count} records`);
		const entries: Entry[] = [];
		for (let number = 0; number < count; number++) {
			const record = decodeRecord(await readAt(placeOf(number, own.runs, geometry), recordBytes), number);
			if (record) entries.push({ record, attributes: attributesOf(record, clusters) });
		}
		const mft = new Mft(geometry, own.runs, entries);
		mft.#checkOverlaps();
		return mft;
	}

	/** Whether the root directory has a file of this exact name. */
	has(name: string): boolean {
		return this.#named(name).length > 0;
	}

	/** A file in the root directory, by its exact name. */
	file(name: string): FileRecord {
		const found = this.#named(name);
		const [only] = found;
		if (only === undefined || found.length > 1) throw damaged(`${found.length} files ${name}`);
		const data = unnamedData(only.attributes);
		if (data === undefined) throw damaged(`${name} has no clusters`);
		return { record: only.record, atBytes: placeOf(only.record.number, this.#runs, this.geometry), data };
	}

	#named(name: string): Entry[] {
		return this.#entries.filter(({ attributes }) =>
			attributes.some(attribute => {
				const names = fileNameOf(attribute);
				return names?.name === name && names.directory === rootRecord;
			}),
		);
	}

	/** Each cluster is one attribute's: else a payload would lie over metadata. */
	#checkOverlaps(): void {
		const runs = this.#entries.flatMap(({ record, attributes }) =>
			attributes
				.flatMap(attribute => (attribute.kind === 'nonResident' ? attribute.runs : []))
				.flatMap(({ cluster, clusters }) => (cluster === undefined ? [] : [{ record, cluster, clusters }])),
		);
		let end = 0;
		for (const { record, cluster, clusters } of runs.toSorted((a, b) => a.cluster - b.cluster)) {
			if (cluster < end) throw damaged(`cluster ${cluster} of record ${record.number} is another's too`);
			end = cluster + clusters;
		}
	}
}

function unnamedData(attributes: readonly (Resident | NonResident)[]): NonResident | undefined {
	const [data, second] = attributes.filter(({ type, isNamed }) => type === attributeTypes.data && !isNamed);
	if (second !== undefined) throw damaged('a record with two contents');
	return data?.kind === 'nonResident' ? data : undefined;
}

/** The MFT is a file, and may lie in pieces; records lie whole in a cluster. */
function placeOf(number: number, runs: readonly Run[], { recordBytes, clusterBytes }: NtfsGeometry): number {
	let offset = number * recordBytes;
	for (const { cluster, clusters } of runs) {
		if (offset < clusters * clusterBytes) {
			if (cluster === undefined) throw damaged(`record ${number} lies in a hole`);
			return cluster * clusterBytes + offset;
		}
		offset -= clusters * clusterBytes;
	}
	throw damaged(`record ${number} lies behind the MFT's end`);
}
