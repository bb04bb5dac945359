import { basename } from 'node:path/posix';
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
	const open = (until: AbortSignal) => unpacked(bytesOfObject(api, object, until, kept), until);
	return openArchiveDisk(gsUri(object.address), open, signal);
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
