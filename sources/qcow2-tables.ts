/** Whether a qcow2 image has all that its tables point to: "Cluster mapping" and "Extended L2 Entries" of its specification. */
import { inflateRawSync, zstdDecompressSync } from 'node:zlib';
import type { OpenedFile } from './opened-file.ts';
import { parseQcow2Layout, type Qcow2Layout, qcow2LayoutBytes } from './qcow2-header.ts';
import { damaged, Reach, reachesBeyond, tablePieces, type TableReading, wholeBytesAt } from './reach.ts';
import { exactBytes } from '../model/format-bytes.ts';

const sectorBytes = 512;
/** QEMU refuses larger tables. */
const maxL1Entries = 2 ** 22;
/** Of the upper half of an entry: bits 9 to 55 are a place, bit 62 says that it is compressed. */
const placeBits = 0x00ffffff;
const compressedBit = 0x40000000;
/** Bit 0 of an L2 entry: reads as zeros, whatever place it has. */
const zeroBit = 1;

/**
 * Throws `source_invalid`. `dataFile`: where the guest's data is, if it is not in the image. Of an L2 table that is missing all
 * that it maps is.
 */
export async function checkQcow2Tables(
	file: OpenedFile,
	dataFile: OpenedFile | undefined,
	reading: TableReading,
): Promise<void> {
	const layout = parseQcow2Layout(await wholeBytesAt(file, 'header', 0, qcow2LayoutBytes));
	await new Qcow2Tables({ file, dataFile: dataFile ?? file, layout }, reading).check();
}

interface Qcow2Files {
	file: OpenedFile;
	dataFile: OpenedFile;
	layout: Qcow2Layout;
}

/** A compressed cluster whose last sector the file does not have to its end. */
interface Ragged {
	atBytes: number;
}

class Qcow2Tables {
	readonly #file: OpenedFile;
	readonly #layout: Qcow2Layout;
	readonly #reading: TableReading;
	readonly #tables: Reach;
	readonly #data: Reach;
	readonly #entryBytes: number;
	#ragged: Ragged | undefined;

	constructor({ file, dataFile, layout }: Qcow2Files, reading: TableReading) {
		this.#file = file;
		this.#layout = layout;
		this.#reading = reading;
		this.#tables = new Reach(file, reading.missing);
		this.#data = new Reach(dataFile, reading.missing);
		this.#entryBytes = layout.hasExtendedEntries ? 16 : 8;
	}

	async check(): Promise<void> {
		const { clusterBytes, virtualBytes, l1At, l1Entries, isDirty, refcountAt, refcountClusters } = this.#layout;
		const perTable = clusterBytes / this.#entryBytes;
		const needed = Math.ceil(virtualBytes / clusterBytes / perTable);
		if (needed > l1Entries || needed > maxL1Entries)
			throw damaged(
				this.#file,
				`its L1 table has ${l1Entries} entries, and a disk of ${exactBytes(virtualBytes)} needs ${needed}`,
			);
		// Refcounts of a dirty image are made anew: bit 0 of "incompatible_features".
		if (!isDirty) this.#tables.add('refcount table', refcountAt, refcountClusters * clusterBytes);
		let tables = 0;
		const l1 = { what: 'L1 table', atBytes: l1At, count: needed, entryBytes: 8 };
		for await (const { firstEntry, bytes } of tablePieces(this.#file, l1, this.#reading.signal))
			for (let at = 0; at < bytes.length; at += 8) {
				const tableAt = placeOf(bytes, at);
				if (tableAt === 0) continue;
				// No two entries share a table, so more of them than fit are there only to be read again and again.
				if (this.#file.found.isFile() && ++tables * clusterBytes > this.#file.sizeBytes)
					throw damaged(this.#file, 'its L1 table points to more L2 tables than the file has room for');
				const firstCluster = (firstEntry + at / 8) * perTable;
				this.#reading.seen?.(firstCluster * clusterBytes, virtualBytes);
				await this.#readL2(tableAt, firstCluster);
			}
		await this.#tables.mustLieInside();
		await this.#data.mustLieInside();
		if (this.#ragged) await this.#mustInflate(this.#ragged);
	}

	async #readL2(atBytes: number, firstCluster: number): Promise<void> {
		const { clusterBytes, virtualBytes } = this.#layout;
		const left = Math.ceil(virtualBytes / clusterBytes) - firstCluster;
		const count = Math.min(clusterBytes / this.#entryBytes, left);
		if (this.#reading.missing && reachesBeyond(this.#file, atBytes + count * this.#entryBytes)) {
			const diskAtBytes = firstCluster * clusterBytes;
			this.#reading.missing.add(diskAtBytes, Math.min(count * clusterBytes, virtualBytes - diskAtBytes));
			return;
		}
		const table = { what: 'L2 table', atBytes, count, entryBytes: this.#entryBytes };
		for await (const { firstEntry, bytes } of tablePieces(this.#file, table, this.#reading.signal))
			for (let at = 0, cluster = firstCluster + firstEntry; at < bytes.length; at += this.#entryBytes, cluster++)
				this.#addCluster(bytes, at, cluster);
	}

	#addCluster(table: Buffer, at: number, cluster: number): void {
		const upper = table.readUInt32BE(at);
		const lower = table.readUInt32BE(at + 4);
		if (upper === 0 && lower === 0) return;
		if ((upper & compressedBit) !== 0) return this.#addCompressed(upper, lower, cluster);
		const { clusterBytes, virtualBytes, hasExtendedEntries } = this.#layout;
		const placeBytes = placeOf(table, at);
		if (placeBytes === 0) return;
		// Only what the disk has of its last cluster must be there.
		const onDisk = cluster * clusterBytes;
		const wanted = Math.min(clusterBytes, virtualBytes - onDisk);
		if (hasExtendedEntries) this.#addSubclusters(placeBytes, table.readUInt32BE(at + 12), { onDisk, wanted });
		else if ((lower & zeroBit) === 0)
			this.#data.add('cluster', placeBytes, wanted, { atBytes: onDisk, lengthBytes: wanted });
	}

	/** Bit n of `allocated`: subcluster n is there. Others read from beneath, or as zeros. */
	#addSubclusters(placeBytes: number, allocated: number, { onDisk, wanted }: { onDisk: number; wanted: number }): void {
		const subclusterBytes = this.#layout.clusterBytes / 32;
		for (let bits = allocated >>> 0; bits !== 0; ) {
			const last = 31 - Math.clz32(bits);
			const atBytes = last * subclusterBytes;
			const lengthBytes = Math.min(subclusterBytes, wanted - atBytes);
			if (lengthBytes > 0) {
				this.#data.add('cluster', placeBytes + atBytes, lengthBytes, { atBytes: onDisk + atBytes, lengthBytes });
				if (this.#reading.missing === undefined) return; // those before it end before it
			}
			bits = (bits ^ (1 << last)) >>> 0;
		}
	}

	/** "Compressed Clusters Descriptor": how many bits of it are the place depends on the size of clusters. */
	#addCompressed(upper: number, lower: number, cluster: number): void {
		const placeBitCount = 62 - (Math.log2(this.#layout.clusterBytes) - 8);
		const shift = 2 ** (placeBitCount - 32);
		const descriptor = upper & 0x3fffffff;
		const atBytes = (descriptor % shift) * 2 ** 32 + lower;
		const endBytes = (Math.floor(atBytes / sectorBytes) + Math.floor(descriptor / shift) + 1) * sectorBytes;
		const { found, sizeBytes } = this.#file;
		const { clusterBytes, virtualBytes } = this.#layout;
		const onDisk = cluster * clusterBytes;
		const place = { atBytes: onDisk, lengthBytes: Math.min(clusterBytes, virtualBytes - onDisk), isWhole: true };
		// The data ends somewhere in its last sector, which the file need not have whole.
		const isRagged = found.isFile() && endBytes > sizeBytes && endBytes - sectorBytes < sizeBytes;
		if (isRagged && atBytes < sizeBytes && this.#reading.missing === undefined) {
			this.#ragged = { atBytes };
			this.#tables.add('compressed cluster', atBytes, sizeBytes - atBytes);
		} else this.#tables.add('compressed cluster', atBytes, endBytes - atBytes, place);
	}

	async #mustInflate({ atBytes }: Ragged): Promise<void> {
		const { clusterBytes, isZstd } = this.#layout;
		const size = this.#file.sizeBytes;
		const bytes = await wholeBytesAt(this.#file, 'compressed cluster', atBytes, size - atBytes);
		try {
			const more = { maxOutputLength: 2 * clusterBytes };
			const whole = isZstd ? zstdDecompressSync(bytes, more) : inflateRawSync(bytes, more);
			if (whole.length >= clusterBytes) return;
		} catch {
			// as short as one that gives too little
		}
		throw damaged(
			this.#file,
			`it ends at ${size} within the compressed cluster at offset ${atBytes}, and is cut short`,
		);
	}
}

function placeOf(table: Buffer, at: number): number {
	return (table.readUInt32BE(at) & placeBits) * 2 ** 32 + ((table.readUInt32BE(at + 4) & 0xfffffe00) >>> 0);
}
