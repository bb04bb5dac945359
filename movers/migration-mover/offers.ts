/**
 * Chunks that the mount mover has fetched for the guest and offers, so that they need not be fetched twice:
 *
 *     POST /offer?disk=disk0&chunk=N      body: the chunk as it lies in a pack
 *
 * 204: it is written, or was restored already, and will be recorded. 429: too much to do; forget it, the copy will come
 * to it. 409: refused, with an error document. An offer is a favour: nobody waits for it and nothing depends on it.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { decodeChunk } from '../../repository/format/chunk.ts';
import { mostStoredBytes } from '../../repository/format/frame-table.ts';
import { readBody } from '../../system/request-body.ts';
import type { MigratedDisk, Migration } from './migration.ts';
import { expectRoom } from './room.ts';

/** Offers being looked at: each holds a chunk in memory. */
const maxOffers = 8;

/** The reference may be in a page that must be fetched first; the repository's absence must not pile offers up. */
const lookupMs = 1_000;

export class OfferServer {
	readonly #migration: Migration;
	#active = 0;

	constructor(migration: Migration) {
		this.#migration = migration;
	}

	readonly listener: RequestListener = (incoming, outgoing) => {
		void this.#answer(incoming, outgoing);
	};

	async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
		if (this.#active >= maxOffers) {
			end(incoming, outgoing, 429);
			return;
		}
		this.#active += 1;
		try {
			end(incoming, outgoing, (await this.#take(incoming)) ? 204 : 429);
		} catch (thrown) {
			const error = asRouseError(thrown);
			end(incoming, outgoing, error.retry === 'transient' ? 429 : 409, error.toDocument());
		} finally {
			this.#active -= 1;
		}
	}

	/** False when it cannot be taken now. */
	async #take(incoming: IncomingMessage): Promise<boolean> {
		const { entry, chunk } = this.#placeOf(incoming);
		const { target } = entry;
		if (target === undefined || target.failure) return false;
		if (target.has(chunk)) return !target.isLent(chunk);
		const stored = await readBody(incoming, mostStoredBytes(entry.disk.image.chunkSizeBytes));
		return takeOffer(this.#migration, entry, chunk, stored);
	}

	#placeOf(incoming: IncomingMessage): { entry: MigratedDisk; chunk: number } {
		const url = new URL(incoming.url ?? '/', 'http://local');
		if (incoming.method !== 'POST' || url.pathname !== '/offer')
			throw new RouseError('protocol', `${incoming.method} ${url.pathname}: only POST /offer is answered here`);
		const name = url.searchParams.get('disk');
		const entry = this.#migration.disks.find(({ disk }) => disk.name === name);
		if (entry === undefined) throw new RouseError('protocol', `no disk ${name} here`);
		const text = url.searchParams.get('chunk') ?? '';
		const chunk = Number(text);
		if (!/^\d{1,10}$/.test(text) || chunk >= entry.reader.chunkCount)
			throw new RouseError('protocol', `no chunk "${text}" in ${name} of ${entry.reader.chunkCount} chunks`);
		return { entry, chunk };
	}
}

/** Writes a chunk that somebody has fetched, as it was stored. False when it cannot be taken now. */
export async function takeOffer(
	migration: Migration,
	{ disk, reader, target }: MigratedDisk,
	chunk: number,
	stored: Uint8Array,
): Promise<boolean> {
	if (target === undefined || target.failure) return false;
	const ref = await reader.lookup(chunk, { signal: AbortSignal.timeout(lookupMs) }).catch((error: unknown) => {
		if (error instanceof DOMException && error.name === 'TimeoutError') return undefined;
		throw error;
	});
	if (ref === undefined) return false;
	if (ref === 'zero') throw new RouseError('protocol', `chunk ${chunk} of ${disk.name} is zero`);
	const bytes = decodeChunk(ref, stored, reader.rawBytesOf(chunk));
	if (target.has(chunk)) return !target.isLent(chunk);
	// What the guest reads must not take the room that the copy leaves for what it writes.
	await expectRoom(target.disk.target.path, migration.freeBytes);
	// What a thread may be writing it may yet give back.
	if (target.has(chunk)) return !target.isLent(chunk);
	// Offered chunks count as much as copied ones: the rate is what this host's disk is to bear.
	if (!migration.bucket.tryTake(bytes.length)) return false;
	await target.write(chunk, bytes);
	return true;
}

function end(incoming: IncomingMessage, outgoing: ServerResponse, status: number, document?: unknown): void {
	incoming.resume(); // what was not read must be, or the connection cannot be used again
	outgoing.writeHead(status, { 'content-type': 'application/json' });
	outgoing.end(document === undefined ? undefined : JSON.stringify(document));
}
