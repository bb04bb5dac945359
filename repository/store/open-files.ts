import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { Clock } from '../../system/clock.ts';

interface OpenFile {
	handle: Promise<FileHandle>;
	/** When it is there. */
	fd: number | undefined;
	openedAt: number;
	readers: number;
	dropped: boolean;
}

/** Open files kept at most. */
const maxFiles = 64;

/**
 * A file put back by a person has the same name and another inode: one that is older than this is opened anew, so that
 * a repaired pack is seen without a restart.
 */
const maxAgeMs = 1000;

/** Reads from files by name, without opening them each time. */
export class OpenFiles {
	readonly #clock: Pick<Clock, 'now'>;
	readonly #openFile: (name: string) => Promise<FileHandle>;
	readonly #files = new Map<string, OpenFile>();

	constructor(openFile: (name: string) => Promise<FileHandle>, clock: Pick<Clock, 'now'>) {
		this.#openFile = openFile;
		this.#clock = clock;
	}

	/**
	 * Fills `into` from `offsetBytes` on; returns how many bytes there were. Throws what opening it and pread(2) throw,
	 * and the signal's reason, which is looked at between the two and between one pread(2) and the next.
	 */
	async read(name: string, offsetBytes: number, into: Uint8Array, signal?: AbortSignal): Promise<number> {
		signal?.throwIfAborted();
		const file = this.#open(name);
		file.readers++;
		try {
			const handle = await file.handle;
			let filled = 0;
			while (filled < into.length) {
				signal?.throwIfAborted();
				const { bytesRead } = await handle.read(into, filled, into.length - filled, offsetBytes + filled);
				if (bytesRead === 0) break;
				filled += bytesRead;
			}
			return filled;
		} catch (error) {
			if (this.#files.get(name) === file) this.#files.delete(name);
			file.dropped = true;
			throw error;
		} finally {
			file.readers--;
			if (file.dropped) await closeIfIdle(file);
		}
	}

	/** As `read`, within this call, of a file that is open; undefined when that cannot be, and then `read` says why. */
	readNow(name: string, offsetBytes: number, into: Uint8Array): number | undefined {
		const file = this.#files.get(name);
		if (file?.fd === undefined || this.#clock.now() - file.openedAt >= maxAgeMs) return undefined;
		try {
			let filled = 0;
			while (filled < into.length) {
				const count = readSync(file.fd, into, filled, into.length - filled, offsetBytes + filled);
				if (count === 0) break;
				filled += count;
			}
			return filled;
		} catch {
			return undefined;
		}
	}

	async close(): Promise<void> {
		const files = [...this.#files.values()];
		this.#files.clear();
		for (const file of files) {
			file.dropped = true;
			await closeIfIdle(file);
		}
	}

	#open(name: string): OpenFile {
		const known = this.#files.get(name);
		if (known !== undefined && this.#clock.now() - known.openedAt < maxAgeMs) return known;
		if (known !== undefined) this.#drop(name, known);
		const oldest = this.#files.entries().next();
		if (this.#files.size >= maxFiles && oldest.done !== true) this.#drop(...oldest.value);
		const handle = this.#openFile(name);
		const file: OpenFile = { handle, fd: undefined, openedAt: this.#clock.now(), readers: 0, dropped: false };
		this.#files.set(name, file);
		handle.then(
			({ fd }) => (file.fd = fd),
			() => {}, // told to its readers
		);
		return file;
	}

	#drop(name: string, file: OpenFile): void {
		this.#files.delete(name);
		file.dropped = true;
		void closeIfIdle(file);
	}
}

/** The last reader of a dropped file closes it. Closing what was only read cannot lose anything: failures are ignored. */
async function closeIfIdle(file: OpenFile): Promise<void> {
	if (file.readers > 0) return;
	try {
		await (await file.handle).close();
	} catch {
		// Not opened at all, or closed already.
	}
}
