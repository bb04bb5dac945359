import { RouseError } from '../model/errors.ts';
import { NbdClient } from '../nbd/client/client.ts';
import { isNbdUri, parseNbdUri } from '../nbd/protocol/uri.ts';
import type { DiskSource } from '../repository/import/disk-source.ts';
import { openImage } from './image.ts';
import type { ImageFormat } from './image-format.ts';

/**
 * Opens where a disk comes from: an NBD URI, else a path of an image or block device. `format` is for images alone.
 * Errors: those of NbdClient and {@link openImage}, and `usage`.
 */
export async function openSource(
	text: string,
	{ format, signal }: { format?: ImageFormat | undefined; signal: AbortSignal },
): Promise<DiskSource> {
	if (!isNbdUri(text)) return await openImage(text, { format, signal });
	const target = parseNbdUri(text);
	if (format !== undefined && format !== 'raw')
		throw new RouseError('usage', `"${text}" is served by NBD, which knows no ${format}: --format is for files`);
	return await NbdClient.open(target, signal);
}
