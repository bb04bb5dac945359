/** A VHDX among the images: vhdx/ reads its tables. */
import type { ByteSource } from '../vhdx/byte-source.ts';
import { describeVhdx, openVhdx } from '../vhdx/open.ts';
import { blockDeviceBytes } from './block-device.ts';
import { type SectorSizes, sectorSizes } from './disk-facts.ts';
import { bytesAt, type OpenedFile } from './opened-file.ts';
import type { TableReading } from './reach.ts';

/** Throws `source_invalid`, for all that vhdx/ refuses. */
export async function vhdxSectors(file: OpenedFile): Promise<SectorSizes> {
	const { logicalSectorBytes, physicalSectorBytes } = (await describeVhdx(await vhdxBytes(file))).geometry;
	return sectorSizes(logicalSectorBytes, physicalSectorBytes);
}

/** Throws `source_invalid` unless its tables are right, and lead to what lies inside the file. */
export async function checkVhdx(file: OpenedFile, { signal, seen }: Omit<TableReading, 'missing'>): Promise<void> {
	await openVhdx(await vhdxBytes(file), signal, seen);
}

/** For vhdx/, under the name that messages call it by. */
export async function vhdxBytes(file: OpenedFile): Promise<ByteSource> {
	const { path, found } = file;
	const sizeBytes = found.isFile() ? file.sizeBytes : ((await blockDeviceBytes(found.rdev)) ?? 0);
	return { name: path, sizeBytes, read: (atBytes, lengthBytes) => bytesAt(file, atBytes, lengthBytes) };
}
