import { randomUUID } from 'node:crypto';
import type { NbdExport } from '../../../nbd/server/export.ts';
import { diskBytesInVhdx, type Sectors } from '../../../vhdx/geometry.ts';
import type { FileIds } from '../../../vhdx/header-section.ts';
import { identityHeader } from '../../../vhdx/identity-header.ts';
import { LayoutExport } from './layout-export.ts';
import type { Segment } from './segments.ts';

/** For a file that nobody will ask about again. */
export function freshIds(): FileIds {
	return { fileWriteGuid: randomUUID(), dataWriteGuid: randomUUID(), virtualDiskId: randomUUID() };
}

/**
 * A disk as a fixed VHDX: a header, then the disk's own bytes in their order, then zeros up to the end of its last block.
 * `input_invalid` when it is larger than a VHDX's can be (64 TiB).
 */
export function vhdxExport(disk: NbdExport, { ids, sectors }: { ids: FileIds; sectors: Sectors }): LayoutExport {
	const { logicalSectorBytes, physicalSectorBytes } = sectors;
	const sizeBytes = diskBytesInVhdx(disk.sizeBytes, sectors);
	const { header, payloadOffsetBytes, fileSizeBytes } = identityHeader({
		sizeBytes,
		ids,
		logicalSectorBytes,
		physicalSectorBytes,
	});
	const segments: Segment[] = [
		{ kind: 'bytes', bytes: Buffer.from(header.buffer, header.byteOffset, header.byteLength) },
		{ kind: 'disk', disk, offsetBytes: 0, sizeBytes: disk.sizeBytes },
	];
	const paddingBytes = fileSizeBytes - payloadOffsetBytes - disk.sizeBytes;
	if (paddingBytes > 0) segments.push({ kind: 'zeroes', sizeBytes: paddingBytes });
	return new LayoutExport({ name: `${disk.name}.vhdx`, description: `${disk.description}, as a VHDX`, segments });
}

/** A VHDX of each disk, with fresh ids: nobody comes back to a file that ends with its server. */
export function vhdxOfEach(sectors: readonly Sectors[]): (disk: NbdExport, number: number) => NbdExport {
	const usual: Sectors = { logicalSectorBytes: 512, physicalSectorBytes: 512 };
	return (disk, number) => vhdxExport(disk, { ids: freshIds(), sectors: sectors[number] ?? usual });
}
