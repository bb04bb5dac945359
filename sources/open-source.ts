import { basename } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { type DiskExtent, NbdClient } from '../nbd/client/client.ts';
import { isNbdUri, parseNbdUri } from '../nbd/protocol/uri.ts';
import { openArchiveFile } from './archive/archive-file.ts';
import type { OpenedDisk } from './disk-facts.ts';
import { isGsUri } from './gce/address.ts';
import { openImage } from './image.ts';
import type { Look } from './image-check.ts';
import type { ImageTrust } from './image-layers.ts';

/** For a disk on a platform: the file that lets us in, and where what was fetched is kept. */
interface OfPlatform {
	credentialPath?: string | null | undefined;
	spoolDirectory?: string | null | undefined;
}

/**
 * Opens where a disk comes from: an NBD URI, an object of Cloud Storage, else a path of an archive of a disk, an image or a block
 * device. The {@link ImageTrust} is for images alone. Errors: those of NbdClient, {@link openImage} and `openGsDisk`, and `usage`.
 */
export async function openSource(
	text: string,
	{ signal, onLook, credentialPath = null, spoolDirectory = null, ...trust }: ImageTrust & Look & OfPlatform,
): Promise<OpenedDisk> {
	const { format } = trust;
	if (isGsUri(text)) {
		if (format !== undefined) throw new RouseError('usage', `${text} is an archive: --format is for files`);
		const { openGsDisk } = await import('./gce/open.ts'); // most imports have no use for Google's library
		return openGsDisk(text, { credentialPath, spoolDirectory }, signal);
	}
	if (!isNbdUri(text)) {
		// Whoever says what it is has the file itself read as that.
		const archived = format === undefined ? await openArchiveFile(text, signal) : undefined;
		return archived ?? (await openImage(text, { ...trust, signal, onLook }));
	}
	const target = parseNbdUri(text);
	if (format !== undefined && format !== 'raw')
		throw new RouseError('usage', `"${text}" is served by NBD, which knows no ${format}: --format is for files`);
	const client = await NbdClient.open(target, signal).catch((error: unknown) => {
		throw ofNbd(text, error);
	});
	// The block sizes of NBD say how it may be asked, not what sectors the disk has.
	const facts = { origin: { kind: 'nbd', detail: exportText(target.exportName) }, serial: null };
	return {
		facts,
		sizeBytes: client.sizeBytes,
		extents: until => extentsOf(client, text, until),
		read: (offsetBytes, into, until) =>
			client.read(offsetBytes, into, until).catch((error: unknown) => {
				throw ofNbd(text, error);
			}),
		close: () => client.close(),
	};
}

async function* extentsOf(client: NbdClient, uri: string, signal: AbortSignal): AsyncGenerator<DiskExtent> {
	try {
		yield* client.extents(signal);
	} catch (error) {
		throw ofNbd(uri, error);
	}
}

/** Several disks of one import may come from several servers: by the URI people know which one it is, and what to do. */
function ofNbd(uri: string, error: unknown): unknown {
	if (!(error instanceof RouseError) || error.hint !== undefined) return error;
	const hints: Partial<Record<RouseError['code'], string>> = {
		source_unreachable: 'see that its server runs, and why it ended if it did; then import again, from the start',
		source_invalid: 'the server refuses it or has no such bytes: its own messages tell why',
	};
	const hint = hints[error.code];
	if (hint === undefined) return error;
	return new RouseError(error.code, `${uri}: ${error.message}`, { hint, details: error.details, cause: error });
}

/** Servers of directories have paths for export names. */
function exportText(exportName: string): string {
	return exportName === '' ? 'default export' : `export ${basename(exportName)}`;
}
