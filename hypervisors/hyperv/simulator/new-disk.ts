import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { publishDurably, temporaryPath } from '../../../system/durable-file.ts';
import type { FileLayout } from '../../../vhdx/file-layout.ts';

/** A new file with nothing but its tables; blocks, if it has any, read zero. Whole or not there. */
export async function writeNewDisk(place: string, layout: FileLayout): Promise<void> {
	const temporary = temporaryPath(place);
	const file = await open(temporary, 'wx', 0o600);
	try {
		let at = 0;
		for (const piece of layout.pieces()) {
			if (piece.kind === 'bytes') await file.write(piece.bytes, 0, piece.bytes.length, at);
			at += piece.kind === 'bytes' ? piece.bytes.length : piece.lengthBytes;
		}
		await file.truncate(layout.fileSizeBytes);
		await file.sync();
	} finally {
		await file.close();
	}
	await publishDurably(temporary, place);
}

export function freshIds(): { fileWriteGuid: string; dataWriteGuid: string; virtualDiskId: string } {
	return { fileWriteGuid: randomUUID(), dataWriteGuid: randomUUID(), virtualDiskId: randomUUID() };
}
