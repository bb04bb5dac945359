import { RouseError } from '../../model/errors.ts';
import { NbdClient, type NbdClientOptions } from '../../nbd/client/client.ts';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';
import { openSocket } from '../../system/open-socket.ts';
import { noRoom } from './room.ts';
import { type WrittenPart, writtenExtents } from './extents.ts';

/** `qemu:dirty-bitmap:NAME` of docs/interop/nbd.txt in QEMU: bit 0 says that a part was written to. */
const contextOf = (bitmap: string) => `qemu:dirty-bitmap:${bitmap}`;
const dirty = 1;

const lookEveryMs = 500;

export interface DiskOfMoment {
	/** Of the NBD server. */
	socket: string;
	exportName: string;
	/** Bitmap of what was written since the base; undefined where nobody knows, or wants to. */
	bitmap: string | undefined;
	room: { isShort(): Promise<boolean> };
	/** Whether the moment is there: what is read is of it as long as that is so. */
	isStanding: (signal: AbortSignal) => Promise<boolean>;
	/** Ends the moment, before it harms the guest. */
	end: (signal: AbortSignal) => Promise<void>;
}

/** A disk as it was at its moment. */
export class QemuDisk implements DiskSource {
	readonly sizeBytes: number;
	readonly #disk: DiskOfMoment;
	readonly #client: NbdClient;
	/** One connection tells of one context. */
	readonly #written: NbdClient | undefined;
	readonly #closing = new AbortController();
	readonly #watch: NodeJS.Timeout;
	#isLooking = false;
	#hasEnded = false;
	#lost: { error: unknown } | undefined;

	private constructor(disk: DiskOfMoment, client: NbdClient, written: NbdClient | undefined) {
		this.#disk = disk;
		this.#client = client;
		this.#written = written;
		this.sizeBytes = client.sizeBytes;
		// Also while nothing is read: what was read may take long to be stored.
		this.#watch = setInterval(() => void this.#look(), lookEveryMs);
	}

	static async open(disk: DiskOfMoment, signal: AbortSignal): Promise<QemuDisk> {
		const opened: NbdClient[] = [];
		try {
			const client = await connected(disk, signal);
			opened.push(client);
			if (disk.bitmap === undefined) return new QemuDisk(disk, client, undefined);
			const written = await connected(disk, signal, { context: contextOf(disk.bitmap) });
			opened.push(written);
			return new QemuDisk(disk, client, written);
		} catch (error) {
			await Promise.all(opened.map(client => client.close()));
			return await explained(disk, error, signal);
		}
	}

	async *extents(signal: AbortSignal): AsyncGenerator<SourceExtent> {
		try {
			const extents = this.#client.extents(signal);
			if (this.#written === undefined) yield* extents;
			else if (this.#written.hasBlockStatus) yield* writtenExtents(extents, writtenParts(this.#written, signal));
			else throw new RouseError('checkpoint_lost', 'QEMU does not tell what was written to this disk');
		} catch (error) {
			await explained(this.#disk, error, signal);
		}
	}

	async read(offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		this.#throwIfLost();
		try {
			await this.#client.read(offsetBytes, into, signal);
		} catch (error) {
			signal.throwIfAborted();
			this.#throwIfLost();
			await explained(this.#disk, error, signal);
		}
	}

	#throwIfLost(): void {
		if (this.#lost !== undefined) throw this.#lost.error;
	}

	/** Whoever reads is told what comes of it; what could not be ended is tried again. */
	async #look(): Promise<void> {
		if (this.#isLooking || this.#hasEnded) return;
		this.#isLooking = true;
		try {
			if (!(await this.#disk.room.isShort())) return;
			this.#lost = { error: noRoom() };
			await this.#disk.end(this.#closing.signal);
			this.#hasEnded = true;
		} catch (error) {
			this.#lost ??= { error };
		} finally {
			this.#isLooking = false;
		}
	}

	/** Somebody may have ended the job while its export went on: what was read since then is of no moment. */
	async checkUnchanged(signal: AbortSignal = new AbortController().signal): Promise<void> {
		if (!(await this.#disk.isStanding(signal))) throw momentLost();
	}

	async close(): Promise<void> {
		clearInterval(this.#watch);
		this.#closing.abort();
		await Promise.all([this.#client.close(), this.#written?.close()]);
	}
}

async function* writtenParts(client: NbdClient, signal: AbortSignal): AsyncGenerator<WrittenPart> {
	for await (const { offsetBytes, lengthBytes, flags } of client.status(dirty, signal))
		yield { offsetBytes, lengthBytes, isWritten: flags !== 0 };
}

/** QEMU's user owns the directory of the socket: what is connected to is what was looked at. */
async function connected(
	{ socket, exportName }: DiskOfMoment,
	signal: AbortSignal,
	options?: NbdClientOptions,
): Promise<NbdClient> {
	const opened = await openSocket(socket).catch((cause: unknown) => {
		throw cause instanceof RouseError
			? cause
			: new RouseError('source_unreachable', `there is no ${socket}`, { cause });
	});
	try {
		return await NbdClient.open({ address: { path: opened.way }, exportName }, signal, options);
	} finally {
		await opened.close();
	}
}

/** Throws: `moment_lost` for whatever comes of that the moment is gone, the error itself for all else. */
async function explained(disk: DiskOfMoment, error: unknown, signal: AbortSignal): Promise<never> {
	signal.throwIfAborted();
	const isOfServer =
		error instanceof RouseError && ['source_unreachable', 'source_invalid', 'protocol'].includes(error.code);
	if (isOfServer && !(await disk.isStanding(signal))) throw momentLost(error);
	throw error;
}

export function momentLost(cause?: unknown): RouseError {
	return new RouseError('moment_lost', 'QEMU does not keep this moment of its disks any more', {
		cause,
		hint: 'begin the import anew; see whether QEMU was ended meanwhile, or somebody has ended its jobs',
	});
}
