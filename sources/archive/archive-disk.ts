import { RouseError } from '../../model/errors.ts';
import { type DiskSource, sequentialHeadBytes } from '../../repository/import/disk-source.ts';
import { ByteReader } from './byte-reader.ts';
import { type ArchivedDisk, checkEnd, findDisk } from './disk-member.ts';

/** Makes the bytes of the archive, unpacked. What it makes MUST end, by the signal's reason, when that is aborted. */
export type OpenArchive = (signal: AbortSignal) => AsyncIterable<Uint8Array>;

export type ArchiveSource = Pick<DiskSource, 'sizeBytes' | 'access' | 'extents' | 'read' | 'close'> &
	Required<Pick<DiskSource, 'checkUnchanged'>>;

/**
 * The disk in an archive, read as it comes: what zeros it leaves out is known at once, its first MiB is kept, and the rest is read once,
 * in order. `checkUnchanged` goes on to the end of the archive. Errors: `source_invalid`, by `name`, and what the archive's bytes throw.
 */
export async function openArchiveDisk(name: string, open: OpenArchive, signal: AbortSignal): Promise<ArchiveSource> {
	const closing = new AbortController();
	const reader = new ByteReader(open(closing.signal));
	const close = async () => {
		const why = closed(name);
		closing.abort(why);
		await reader.close(why);
	};
	try {
		const disk = await findDisk(reader, signal);
		const data = new DataInOrder(disk, reader);
		const head = Buffer.alloc(Math.min(disk.sizeBytes, sequentialHeadBytes));
		await data.read(0, head, signal);
		return new ArchiveDisk(name, { disk, reader, data, head, close });
	} catch (error) {
		await close();
		throw named(name, error);
	}
}

/** The disk's bytes out of what the archive has of them, each once. */
class DataInOrder {
	readonly #map: ArchivedDisk['map'];
	readonly #reader: ByteReader;
	/** Of the archive. */
	readonly #beganAt: number;
	/** The first part of the map that does not lie before what was read last, and how much of the archive lies before it. */
	#part = 0;
	#beforePart = 0;
	/** Of the disk: what lies before it has gone by. */
	#reachedBytes = 0;

	constructor({ map }: ArchivedDisk, reader: ByteReader) {
		this.#map = map;
		this.#reader = reader;
		this.#beganAt = reader.position;
	}

	/** `offsetBytes` never lies before the end of what was read before. */
	async read(offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		const map = this.#map;
		const end = offsetBytes + into.length;
		if (offsetBytes < this.#reachedBytes) throw goneBy();
		this.#reachedBytes = offsetBytes;
		for (; this.#part < map.count && map.endOf(this.#part) <= offsetBytes; this.#part++)
			this.#beforePart += map.lengthOf(this.#part);
		let filledTo = offsetBytes;
		let before = this.#beforePart;
		for (let part = this.#part; part < map.count && map.offsetOf(part) < end; part++) {
			const from = Math.max(map.offsetOf(part), offsetBytes);
			const to = Math.min(map.endOf(part), end);
			into.fill(0, filledTo - offsetBytes, from - offsetBytes);
			await this.#skipTo(before + from - map.offsetOf(part), signal);
			await this.#reader.fill(into.subarray(from - offsetBytes, to - offsetBytes), where, signal);
			filledTo = to;
			before += map.lengthOf(part);
		}
		into.fill(0, filledTo - offsetBytes);
		this.#reachedBytes = end;
	}

	async skipRest(signal: AbortSignal): Promise<void> {
		await this.#skipTo(this.#map.dataBytes, signal);
	}

	async #skipTo(dataBytes: number, signal: AbortSignal): Promise<void> {
		const skipped = this.#beganAt + dataBytes - this.#reader.position;
		if (skipped < 0) throw goneBy();
		await this.#reader.skip(skipped, where, signal);
	}
}

const where = 'the data of its disk';

function goneBy(): RouseError {
	return new RouseError('internal', 'a disk that comes in order was asked for what has gone by');
}

interface Parts {
	disk: ArchivedDisk;
	reader: ByteReader;
	data: DataInOrder;
	head: Buffer;
	close: () => Promise<void>;
}

class ArchiveDisk implements ArchiveSource {
	readonly access = 'sequential';
	readonly sizeBytes: number;
	readonly #name: string;
	readonly #parts: Parts;
	/** Ends when all that was asked for before is done, however. */
	#last: Promise<void> = Promise.resolve();
	/** Of the archive: from there on nothing of it can be relied on. */
	#failure: RouseError | undefined;
	#end: 'ahead' | 'begun' | 'checked' = 'ahead';
	#closed: Promise<void> | undefined;

	constructor(name: string, parts: Parts) {
		this.#name = name;
		this.#parts = parts;
		this.sizeBytes = parts.disk.sizeBytes;
	}

	async *extents(signal: AbortSignal) {
		for (const extent of this.#parts.disk.map.extents(this.sizeBytes)) {
			signal.throwIfAborted();
			yield extent;
		}
	}

	async read(offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		const { head, data } = this.#parts;
		if (offsetBytes < 0 || offsetBytes + into.length > this.sizeBytes)
			throw new RouseError('internal', `a read at ${offsetBytes} goes past the end of the disk`);
		const known = Math.min(into.length, Math.max(0, head.length - offsetBytes));
		head.subarray(offsetBytes, offsetBytes + known).copy(into);
		if (known === into.length) return;
		await this.#inTurn(() => data.read(offsetBytes + known, into.subarray(known), signal), signal);
	}

	async checkUnchanged(signal: AbortSignal = new AbortController().signal): Promise<void> {
		const { disk, data, reader } = this.#parts;
		await this.#inTurn(async () => {
			if (this.#end === 'checked') return;
			if (this.#end === 'begun')
				throw new RouseError('internal', 'the end of an archive was given up while it was read');
			await data.skipRest(signal);
			this.#end = 'begun';
			await checkEnd(disk, reader, signal);
			this.#end = 'checked';
		}, signal);
	}

	async close(): Promise<void> {
		this.#failure ??= closed(this.#name);
		await (this.#closed ??= this.#parts.close());
	}

	/** One after the other, in the order in which they were asked for. */
	async #inTurn(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
		const before = this.#last;
		const { promise, resolve } = Promise.withResolvers<void>();
		this.#last = promise;
		try {
			await before;
			signal.throwIfAborted();
			if (this.#failure !== undefined) throw this.#failure;
			await work();
		} catch (error) {
			if (signal.aborted) throw error;
			const told = named(this.#name, error);
			if (told instanceof RouseError) this.#failure ??= told;
			throw told;
		} finally {
			resolve();
		}
	}
}

function closed(name: string): RouseError {
	return new RouseError('internal', `${name} was closed while it was read`);
}

/** What was said of an archive, as said of this one. */
function named(name: string, error: unknown): unknown {
	if (!(error instanceof RouseError) || error.code !== 'source_invalid' || error.message.startsWith(name)) return error;
	const { code, message, hint, details } = error;
	return new RouseError(code, `${name}: ${message}`, { hint, details, cause: error });
}
