import { basename } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { NbdClient } from '../nbd/client/client.ts';
import { isNbdUri, parseNbdUri } from '../nbd/protocol/uri.ts';
import type { OpenedDisk } from './disk-facts.ts';
import { openImage } from './image.ts';
import type { Look } from './image-check.ts';
import type { ImageTrust } from './image-layers.ts';

/**
 * Opens where a disk comes from: an NBD URI, else a path of an image or block device. The {@link ImageTrust} is for images alone.
 * Errors: those of NbdClient and {@link openImage}, and `usage`.
 */
export async function openSource(text: string, { signal, onLook, ...trust }: ImageTrust & Look): Promise<OpenedDisk> {
	if (!isNbdUri(text)) return await openImage(text, { ...trust, signal, onLook });
	const { format } = trust;
	const target = parseNbdUri(text);
	if (format !== undefined && format !== 'raw')
		throw new RouseError('usage', `"${text}" is served by NBD, which knows no ${format}: --format is for files`);
	const client = await NbdClient.open(target, signal);
	// The block sizes of NBD say how it may be asked, not what sectors the disk has.
	const facts = { origin: { kind: 'nbd', detail: exportText(target.exportName) }, serial: null };
	return {
		facts,
		sizeBytes: client.sizeBytes,
		extents: until => client.extents(until),
		read: (offsetBytes, into, until) => client.read(offsetBytes, into, until),
		close: () => client.close(),
	};
}

/** Servers of directories have paths for export names. */
function exportText(exportName: string): string {
	return exportName === '' ? 'default export' : `export ${basename(exportName)}`;
}
