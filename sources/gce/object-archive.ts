import { basename } from 'node:path/posix';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { type ArchiveSource, openArchiveDisk } from '../archive/archive-disk.ts';
import { gunzipped } from '../archive/gunzip.ts';
import type { OpenedDisk } from '../disk-facts.ts';
import { isGzip } from '../other-file.ts';
import { type GsAddress, gsUri } from './address.ts';
import type { GoogleApi } from './google/api.ts';
import { findObject, generationName, type PinnedObject } from './object.ts';
import { bytesOfObject } from './object-bytes.ts';
import type { Spool } from './spool.ts';
import type { SpooledObject } from './spooled-object.ts';

/** The disk in an archive, packed by gzip or not, of which one generation is read, once and in order. Throws what both can. */
export async function openObjectArchive(
	api: GoogleApi,
	object: PinnedObject,
	signal: AbortSignal,
	kept?: SpooledObject,
): Promise<ArchiveSource> {
	if (kept === undefined)
		return openArchiveDisk(gsUri(object.address), until => unpacked(bytesOfObject(api, object, until), until), signal);
	return openKeptArchive(api, object, { signal, kept });
}

/**
 * Bytes that are no archive any more end it before their sum is compared. They have come so or become so where they are kept, and
 * nobody knows which: what is kept goes, so that another attempt has them sent anew. What Google refuses says nothing of them.
 */
async function openKeptArchive(
	api: GoogleApi,
	object: PinnedObject,
	{ signal, kept }: { signal: AbortSignal; kept: SpooledObject },
): Promise<ArchiveSource> {
	let haveFailed = false;
	const stored = async function* (until: AbortSignal) {
		try {
			yield* bytesOfObject(api, object, until, kept);
		} catch (error) {
			haveFailed = true;
			throw error;
		}
	};
	const reading = async <T>(work: Promise<T>): Promise<T> => {
		try {
			return await work;
		} catch (error) {
			const { code, message, hint, details } = asRouseError(error);
			if (haveFailed || code !== 'source_invalid') throw error;
			await kept.remove();
			const again = `what was kept of it is removed: import again, and if it stays so ${hint ?? 'export it again'}`;
			throw new RouseError(code, message, { hint: again, details, cause: error });
		}
	};
	const open = (until: AbortSignal) => unpacked(stored(until), until);
	const archive = await reading(openArchiveDisk(gsUri(object.address), open, signal));
	return {
		sizeBytes: archive.sizeBytes,
		access: archive.access,
		extents: until => archive.extents(until),
		read: (offsetBytes, into, until) => reading(archive.read(offsetBytes, into, until)),
		checkUnchanged: until => reading(archive.checkUnchanged(until)),
		close: () => archive.close(),
	};
}

/** As `backup import` has it: the generation that is there now. */
export async function openObjectDisk(
	api: GoogleApi,
	address: GsAddress,
	signal: AbortSignal,
	spool?: Spool,
): Promise<OpenedDisk> {
	const object = await findObject(api, address, signal);
	const kept = await spool?.open('command', object);
	const source = await openObjectArchive(api, object, signal, kept);
	return {
		facts: { origin: { kind: 'gce', detail: `disk.raw in ${basename(address.object)}` }, serial: null },
		sizeBytes: source.sizeBytes,
		access: source.access,
		moment: generationName(object),
		extents: until => source.extents(until),
		read: (offsetBytes, into, until) => source.read(offsetBytes, into, until),
		checkUnchanged: until => source.checkUnchanged(until),
		forgetKept: async () => kept?.remove(),
		close: () => source.close(),
	};
}

async function* unpacked(stored: AsyncGenerator<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
	try {
		const head: Buffer[] = [];
		let length = 0;
		while (length < 2) {
			const next = await stored.next();
			if (next.done) break;
			head.push(next.value);
			length += next.value.length;
		}
		const all = joined(head, stored);
		yield* isGzip(Buffer.concat(head)) ? gunzipped(all, signal) : all;
	} finally {
		await stored.return(undefined);
	}
}

async function* joined(head: readonly Buffer[], rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
	yield* head;
	yield* rest;
}
