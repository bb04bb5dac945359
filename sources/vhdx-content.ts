/** VHDXs with sectors of 4096 bytes are read by vhdx/: QEMU 7.2 opens none ("Operation not supported", block/vhdx.c). */
import { RouseError } from '../model/errors.ts';
import type { SourceExtent } from '../repository/import/disk-source.ts';
import { VhdxDisk } from '../vhdx/disk.ts';
import { describeVhdx, openVhdx } from '../vhdx/open.ts';
import type { OpenedDisk } from './disk-facts.ts';
import type { ImageLayer } from './image-layers.ts';
import type { OpenedFile } from './opened-file.ts';
import { vhdxBytes } from './vhdx.ts';

/** Throws `source_invalid`. */
export async function isReadByQemu({ format, file }: ImageLayer): Promise<boolean> {
	return format !== 'vhdx' || (await describeVhdx(await vhdxBytes(file))).geometry.logicalSectorBytes === 512;
}

/** Throws `source_invalid`, as its parts do. */
export async function vhdxContent(
	file: OpenedFile,
	signal: AbortSignal,
): Promise<Pick<OpenedDisk, 'sizeBytes' | 'extents' | 'read'>> {
	const disk = new VhdxDisk(await openVhdx(await vhdxBytes(file), signal));
	return {
		sizeBytes: disk.sizeBytes,
		extents: until => extentsOf(disk, until),
		read: async (offsetBytes, into, until) => {
			try {
				into.set(await disk.read(offsetBytes, into.length, until));
			} catch (error) {
				until.throwIfAborted();
				throw error instanceof RouseError ? error : unreadable(file, offsetBytes, error);
			}
		},
	};
}

async function* extentsOf(disk: VhdxDisk, signal: AbortSignal): AsyncGenerator<SourceExtent> {
	for await (const { atBytes, lengthBytes, in: where } of disk.locate(0, disk.sizeBytes, signal))
		yield { offsetBytes: atBytes, lengthBytes, kind: where.kind === 'zeros' ? 'zero' : 'data' };
}

function unreadable({ path }: OpenedFile, offsetBytes: number, cause: unknown): RouseError {
	const reason = cause instanceof Error ? cause.message : String(cause);
	return new RouseError(
		'source_invalid',
		`${path} is damaged: it cannot be read near offset ${offsetBytes} of its disk: ${reason}`,
		{ hint: 'copy it again from where it is whole', cause, details: { path, offsetBytes } },
	);
}
