/**
 * Whether a sparse extent of a VMDK has all that its tables point to: "Virtual Disk Format 5.0" (VMware), "Hosted Sparse
 * Extent Header", "Grain Directories and Grain Tables", "Stream-Optimized Compressed Sparse Extents", "ESX Server Sparse
 * Extents". VMware does not document SESparse: https://gitlab.com/qemu-project/qemu/-/blob/master/block/vmdk.c
 */
import { bytesAt, type OpenedFile } from './opened-file.ts';
import {
	damaged,
	type DiskPlace,
	Reach,
	reachesBeyond,
	tablePieces,
	type TableReading,
	wholeBytesAt,
} from './reach.ts';
import { exactBytes } from '../model/format-bytes.ts';

const sectorBytes = 512;
const compressedFlag = 1 << 16;
const redundantFlag = 1 << 1;
/** The place of the grain directory that stands for "see the footer". */
const atEnd = 0xffff_ffff_ffff_ffffn;
/** What lies at a grain of a stream: its first sector (8 bytes) and its length (4), and then its data. */
const markerBytes = 12;
const seSparseMagic = 0xcafebaben;

/** How an extent maps its grains, in sectors. */
interface GrainTables {
	capacity: number;
	grain: number;
	directoryAt: number;
	entriesPerTable: number;
	isCompressed: boolean;
	/** Whether the redundant directory has a table that the other may have lost. */
	hasCopy: (entry: number) => Promise<boolean>;
}

/**
 * Gives how much of a disk the extent holds. Throws `source_invalid`. `leastBytes`: what the descriptor says that it holds. Of a
 * grain table that is missing all that it maps is.
 */
export async function checkVmdkTables(file: OpenedFile, leastBytes: number, reading: TableReading): Promise<number> {
	const header = await wholeBytesAt(file, 'header', 0, sectorBytes);
	if (header.readBigUInt64LE(0) === seSparseMagic) return await checkSeSparse(file, { header, leastBytes }, reading);
	refuseCopiedAsText(file, header);
	const tables = await tablesOf(file, header);
	if (tables === undefined) return leastBytes;
	mustHold(file, tables.capacity, leastBytes);
	const { capacity, grain, directoryAt, entriesPerTable, isCompressed } = tables;
	if (grain === 0 || grain > 2 ** 16 || entriesPerTable === 0 || entriesPerTable > 2 ** 16)
		throw damaged(file, `its grains have ${grain} sectors, its tables ${entriesPerTable} entries`);
	const { signal, missing, seen } = reading;
	const reach = new Reach(file, missing);
	const last = new LastGrain();
	const count = Math.ceil(capacity / (grain * entriesPerTable));
	const directory = { what: 'grain directory', atBytes: directoryAt * sectorBytes, count, entryBytes: 4 };
	let read = 0;
	for await (const { firstEntry, bytes } of tablePieces(file, directory, signal))
		for (let at = 0; at < bytes.length; at += 4) {
			const tableAt = bytes.readUInt32LE(at);
			if (tableAt === 0) {
				if (await tables.hasCopy(firstEntry + at / 4)) throw damaged(file, 'its two grain directories differ');
				continue;
			}
			if (file.found.isFile() && ++read * entriesPerTable * 4 > file.sizeBytes)
				throw damaged(file, 'its grain directory points to more tables than the file has room for');
			const firstGrain = (firstEntry + at / 4) * entriesPerTable;
			seen?.(firstGrain * grain * sectorBytes, capacity * sectorBytes);
			const left = Math.min(entriesPerTable, Math.ceil(capacity / grain) - firstGrain);
			const tableEnd = tableAt * sectorBytes + left * 4;
			if (missing && reachesBeyond(file, tableEnd)) {
				const onDisk = firstGrain * grain;
				missing.add(onDisk * sectorBytes, Math.min(left * grain, capacity - onDisk) * sectorBytes);
				continue;
			}
			const table = { what: 'grain table', atBytes: tableAt * sectorBytes, count: left, entryBytes: 4 };
			for await (const piece of tablePieces(file, table, signal)) {
				const first = firstGrain + piece.firstEntry;
				for (let entry = 0; entry < piece.bytes.length; entry += 4) {
					const grainAt = piece.bytes.readUInt32LE(entry);
					if (grainAt <= 1) continue; // there is none, or it is all zeros
					const onDisk = (first + entry / 4) * grain;
					const place = {
						atBytes: onDisk * sectorBytes,
						lengthBytes: Math.min(grain, capacity - onDisk) * sectorBytes,
					};
					if (isCompressed) last.add(grainAt * sectorBytes, place, file.sizeBytes);
					const lengthBytes = isCompressed ? sectorBytes : place.lengthBytes;
					reach.add('grain', grainAt * sectorBytes, lengthBytes, { ...place, isWhole: isCompressed });
				}
			}
		}
	if (last.place) {
		const marker = await bytesAt(file, last.atBytes, markerBytes);
		const lengthBytes = marker.length === markerBytes ? markerBytes + marker.readUInt32LE(8) : sectorBytes;
		reach.add('grain', last.atBytes, lengthBytes, { ...last.place, isWhole: true });
	}
	await reach.mustLieInside();
	return capacity * sectorBytes;
}

/** Four characters that a copy as text would change ("The Header"); where nobody wrote them they are zeros. */
function refuseCopiedAsText(file: OpenedFile, header: Buffer): void {
	const characters = header.toString('latin1', 73, 77);
	if (header.toString('latin1', 0, 4) !== 'KDMV' || characters === '\n \r\n' || characters === '\0\0\0\0') return;
	throw damaged(file, 'it was copied as text, which changed it (FTP does that in its ASCII mode)');
}

/** Of a stream's grains, which end where the next one begins, the last whose beginning is there: only its marker tells its end. */
class LastGrain {
	atBytes = -1;
	place: DiskPlace | undefined;

	add(atBytes: number, place: DiskPlace, fileBytes: number): void {
		if (atBytes <= this.atBytes || (fileBytes > 0 && atBytes + sectorBytes > fileBytes)) return;
		this.atBytes = atBytes;
		this.place = place;
	}
}

async function tablesOf(file: OpenedFile, header: Buffer): Promise<GrainTables | undefined> {
	const magic = header.toString('latin1', 0, 4);
	if (magic === 'COWD')
		return {
			capacity: header.readUInt32LE(12),
			grain: header.readUInt32LE(16),
			directoryAt: header.readUInt32LE(20),
			entriesPerTable: 4096,
			isCompressed: false,
			hasCopy: () => Promise.resolve(false),
		};
	if (magic !== 'KDMV') return undefined;
	const place = header.readBigUInt64LE(56) === atEnd ? await footerOf(file) : header;
	const flags = place.readUInt32LE(8);
	const copyAt = (flags & redundantFlag) === 0 ? 0 : Number(place.readBigUInt64LE(48)) * sectorBytes;
	return {
		capacity: Number(place.readBigUInt64LE(12)),
		grain: Number(place.readBigUInt64LE(20)),
		directoryAt: Number(place.readBigUInt64LE(56)),
		entriesPerTable: place.readUInt32LE(44),
		isCompressed: (flags & compressedFlag) !== 0,
		hasCopy: async entry => {
			const bytes = copyAt === 0 ? Buffer.alloc(0) : await bytesAt(file, copyAt + entry * 4, 4);
			return bytes.length === 4 && bytes.readUInt32LE(0) !== 0;
		},
	};
}

/** The second last sector: behind it only the marker that ends a stream. */
async function footerOf(file: OpenedFile): Promise<Buffer> {
	const footer = await bytesAt(file, file.sizeBytes - 2 * sectorBytes, sectorBytes);
	if (footer.length === sectorBytes && footer.toString('latin1', 0, 4) === 'KDMV') return footer;
	throw damaged(file, `it is a stream without an end, and is cut short at ${exactBytes(file.sizeBytes)}`);
}

function mustHold(file: OpenedFile, capacity: number, leastBytes: number): void {
	const heldBytes = capacity * sectorBytes;
	if (heldBytes >= leastBytes) return;
	throw damaged(file, `it holds ${exactBytes(heldBytes)}, and its descriptor says ${exactBytes(leastBytes)}`);
}

async function checkSeSparse(
	file: OpenedFile,
	{ header, leastBytes }: { header: Buffer; leastBytes: number },
	{ signal, missing, seen }: TableReading,
): Promise<number> {
	const field = (at: number) => Number(header.readBigUInt64LE(at));
	const [capacity, grain, tableSectors] = [field(16), field(24), field(32)];
	const [directoryAt, directorySectors, tablesAt, grainsAt] = [field(128), field(136), field(144), field(192)];
	const entries = (tableSectors * sectorBytes) / 8;
	if (grain === 0 || entries === 0 || capacity > 2 ** 40)
		throw damaged(file, `its grains have ${grain} sectors, its tables ${entries} entries`);
	mustHold(file, capacity, leastBytes);
	const reach = new Reach(file, missing);
	const count = Math.min(Math.ceil(capacity / grain / entries), (directorySectors * sectorBytes) / 8);
	const directory = { what: 'grain directory', atBytes: directoryAt * sectorBytes, count, entryBytes: 8 };
	for await (const { firstEntry, bytes } of tablePieces(file, directory, signal))
		for (let at = 0; at < bytes.length; at += 8) {
			if (bytes.readUInt32LE(at + 4) >>> 28 !== 1) continue;
			const tableAt = (tablesAt + bytes.readUInt32LE(at) * tableSectors) * sectorBytes;
			const firstGrain = (firstEntry + at / 8) * entries;
			seen?.(firstGrain * grain * sectorBytes, capacity * sectorBytes);
			const onDisk = (index: number, grains: number) => ({
				atBytes: (firstGrain + index) * grain * sectorBytes,
				lengthBytes: Math.min(grains * grain, capacity - (firstGrain + index) * grain) * sectorBytes,
			});
			if (missing && reachesBeyond(file, tableAt + entries * 8)) {
				const { atBytes, lengthBytes } = onDisk(0, entries);
				missing.add(atBytes, lengthBytes);
				continue;
			}
			const table = { what: 'grain table', atBytes: tableAt, count: entries, entryBytes: 8 };
			for await (const piece of tablePieces(file, table, signal))
				for (let entry = 0; entry < piece.bytes.length; entry += 8) {
					const upper = piece.bytes.readUInt32LE(entry + 4);
					if (upper >>> 28 !== 3) continue;
					const number =
						((upper >>> 16) & 0xfff) + ((upper & 0xffff) * 2 ** 32 + piece.bytes.readUInt32LE(entry)) * 2 ** 12;
					const place = onDisk(piece.firstEntry + entry / 8, 1);
					reach.add('grain', (grainsAt + number * grain) * sectorBytes, grain * sectorBytes, place);
				}
		}
	await reach.mustLieInside();
	return capacity * sectorBytes;
}
