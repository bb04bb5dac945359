import { basename, resolve } from 'node:path';
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { OpenedDisk } from '../disk-facts.ts';
import { momentOfFiles } from '../moment.ts';
import { bytesAt, checkUnchanged, type OpenedFile, openFile } from '../opened-file.ts';
import { isAppliance, isGzip, isTar } from '../other-file.ts';
import { blockBytes } from '../tar/header.ts';
import { copyAgain, refused } from '../tar/refused.ts';
import { type ArchiveSource, openArchiveDisk } from './archive-disk.ts';
import { ByteReader } from './byte-reader.ts';
import { gunzipped } from './gunzip.ts';

/** Undefined when the file at `path` is no tar archive, packed by gzip or not, or one of an appliance. Errors: `source_invalid`. */
export async function openArchiveFile(path: string, signal: AbortSignal): Promise<OpenedDisk | undefined> {
	const file = await openFile(resolve(path), { follow: true });
	let disk: OpenedDisk | undefined;
	try {
		const packing = await packingOf(file, signal);
		if (packing === undefined) return undefined;
		const isPacked = packing === 'gzip';
		const source = await openArchiveDisk(
			file.path,
			until => (isPacked ? gunzipped(bytesOf(file, until), until) : bytesOf(file, until)),
			signal,
		).catch((error: unknown) => {
			throw isPacked ? error : orIsDisk(error);
		});
		disk = diskOf(file, source);
		return disk;
	} finally {
		if (disk === undefined) await file.handle.close();
	}
}

function diskOf(file: OpenedFile, source: ArchiveSource): OpenedDisk {
	let closed: Promise<void> | undefined;
	return {
		facts: { origin: { kind: 'image', detail: `disk.raw in ${basename(file.path)}` }, serial: null },
		sizeBytes: source.sizeBytes,
		access: source.access,
		extents: signal => source.extents(signal),
		read: (offsetBytes, into, signal) => source.read(offsetBytes, into, signal),
		moment: momentOfFiles([{ format: 'archive', files: [file] }]),
		checkUnchanged: async signal => {
			// A file that changed is the reason, and what its archive lacks only looks like one.
			await checkUnchanged(file);
			await source.checkUnchanged(signal);
			await checkUnchanged(file);
		},
		close: async () => {
			await source.close();
			await (closed ??= file.handle.close());
		},
	};
}

type Packing = 'none' | 'gzip';

/** By how it begins, or by how that begins which gzip has packed. */
async function packingOf(file: OpenedFile, signal: AbortSignal): Promise<Packing | undefined> {
	if (!file.found.isFile()) return undefined;
	const head = await bytesAt(file, 0, blockBytes);
	if (isTar(head)) return isAppliance(head) ? undefined : 'none';
	if (!isGzip(head)) return undefined;
	const ending = new AbortController();
	const reader = new ByteReader(gunzipped(bytesOf(file, ending.signal), ending.signal));
	try {
		return isTar(await reader.take(blockBytes, 'its first block', signal)) ? 'gzip' : undefined;
	} catch (error) {
		signal.throwIfAborted();
		// It is looked at once more, by what tells what it is.
		if (asRouseError(error).code === 'source_invalid') return undefined;
		throw error;
	} finally {
		ending.abort();
		await reader.close(ending.signal.reason);
	}
}

const pieceBytes = 2 ** 18;

/** From its beginning to its end, in pieces that are there until the next one is asked for. */
async function* bytesOf({ path, handle }: OpenedFile, signal: AbortSignal): AsyncGenerator<Buffer> {
	const piece = Buffer.alloc(pieceBytes);
	for (let at = 0; ; ) {
		signal.throwIfAborted();
		const { bytesRead } = await handle.read(piece, 0, pieceBytes, at).catch((error: unknown) => {
			throw refused(`${path} cannot be read at ${at}: ${asRouseError(error).message}`, copyAgain, error);
		});
		if (bytesRead === 0) return;
		at += bytesRead;
		yield piece.subarray(0, bytesRead);
	}
}

/** A guest can have written an archive onto its disk. */
function orIsDisk(error: unknown): unknown {
	if (!(error instanceof RouseError) || error.code !== 'source_invalid') return error;
	const hint = `${error.hint ?? copyAgain}; say --format raw if it is the disk itself`;
	return new RouseError(error.code, error.message, { hint, details: error.details, cause: error });
}
