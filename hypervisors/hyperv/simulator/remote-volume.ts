/** A disk behind an iSCSI session as Windows reads it: partition table, NTFS, files. */
import { RouseError } from '../../../model/errors.ts';
import { guidText } from '../../../model/guid.ts';
import type { ByteSource } from '../../../vhdx/byte-source.ts';
import { Mft } from '../../../volume/ntfs/mft.ts';

export type ReadDisk = (atBytes: number, lengthBytes: number) => Promise<Buffer>;

const sectorBytes = 512;

export interface Partition {
	guid: string;
	offsetBytes: number;
	sizeBytes: number;
}

/** The GUID of the disk and its partitions: UEFI specification 2.10, 5.3. Throws `format_damaged`. */
export async function readPartitions(read: ReadDisk): Promise<{ diskGuid: string; partitions: Partition[] }> {
	const header = await read(sectorBytes, sectorBytes);
	if (header.toString('latin1', 0, 8) !== 'EFI PART')
		throw new RouseError('format_damaged', 'the disk has no GUID partition table');
	const entriesAt = Number(header.readBigUInt64LE(72)) * sectorBytes;
	const [count, entryBytes] = [header.readUInt32LE(80), header.readUInt32LE(84)];
	const table = await read(entriesAt, count * entryBytes);
	const partitions: Partition[] = [];
	for (let at = 0; at < table.length; at += entryBytes) {
		const entry = table.subarray(at, at + entryBytes);
		if (entry.subarray(0, 16).every(byte => byte === 0)) continue;
		const [first, last] = [Number(entry.readBigUInt64LE(32)), Number(entry.readBigUInt64LE(40))];
		partitions.push({
			guid: guidText(entry.subarray(16, 32)),
			offsetBytes: first * sectorBytes,
			sizeBytes: (last - first + 1) * sectorBytes,
		});
	}
	return { diskGuid: guidText(header.subarray(56, 72)), partitions };
}

export async function readNtfs(read: ReadDisk, { offsetBytes, sizeBytes }: Partition): Promise<Mft> {
	return await Mft.read((at, lengthBytes) => read(offsetBytes + at, lengthBytes), sizeBytes);
}

/** A file of the volume's root; undefined when there is none. Reads of several parts at once do not wait for each other. */
export function fileOf(read: ReadDisk, { offsetBytes }: Partition, mft: Mft, name: string): ByteSource | undefined {
	if (!mft.has(name)) return undefined;
	const { data } = mft.file(name);
	const { clusterBytes } = mft.geometry;
	async function readPart(atBytes: number, into: Uint8Array): Promise<void> {
		let start = 0;
		const parts: Promise<void>[] = [];
		for (const { cluster, clusters } of data.runs) {
			const lengthBytes = clusters * clusterBytes;
			const from = Math.max(atBytes, start);
			// What lies behind what was ever written reads zero, whatever is in its clusters.
			const end = Math.min(atBytes + into.length, start + lengthBytes, data.initializedBytes);
			if (from < end && cluster !== undefined) {
				const place = offsetBytes + cluster * clusterBytes + (from - start);
				parts.push(read(place, end - from).then(bytes => into.set(bytes, from - atBytes)));
			}
			start += lengthBytes;
		}
		await Promise.all(parts);
	}
	return {
		name,
		sizeBytes: data.dataBytes,
		async read(atBytes, lengthBytes) {
			const into = new Uint8Array(lengthBytes);
			await readPart(atBytes, into);
			return into;
		},
	};
}
