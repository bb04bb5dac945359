/** A VHDX among the images: vhdx/ reads its tables. */
import { RouseError } from '../model/errors.ts';
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
	const read = async (atBytes: number, lengthBytes: number, signal?: AbortSignal) => {
		try {
			return await bytesAt(file, atBytes, lengthBytes);
		} catch (error) {
			signal?.throwIfAborted();
			throw unreadable(path, atBytes, error);
		}
	};
	return { name: path, sizeBytes, read };
}

/** Said here, where it is known which file of a chain it is. */
function unreadable(path: string, atBytes: number, cause: unknown): RouseError {
	const reason = cause instanceof Error ? cause.message : String(cause);
	return new RouseError(
		'source_invalid',
		`${path} is damaged: it cannot be read near its offset ${atBytes}: ${reason}`,
		{
			hint: 'copy it again from where it is whole',
			cause,
			details: { path, offsetBytes: atBytes },
		},
	);
}
