import type { Extent, NbdExport, NbdFailure, Pending, ReadDone, ReadNow } from '../../nbd/server/export.ts';
import type { RefusedWrites } from '../config.ts';
import { DiskRead, type DiskReadOptions } from './disk-read.ts';
import { metaContexts, type StatusRange, StatusQuery } from './status-query.ts';

/** Bytes that one NBD_CMD_CACHE may make us fetch ahead. */
const maxCacheRequestBytes = 16 * 1024 * 1024;

export interface DiskExportOptions extends DiskReadOptions {
	/** A write to the export, which takes none. */
	onWriteRefused?: ((refused: Omit<RefusedWrites, 'count'>) => void) | undefined;
}

/** A disk under a name: patient exports wait for the repository, others fail at once. */
export class DiskExport implements NbdExport {
	readonly name: string;
	readonly description: string;
	readonly sizeBytes: number;
	readonly metaContexts = metaContexts;
	readonly #options: DiskExportOptions;

	constructor(name: string, description: string, options: DiskExportOptions) {
		this.name = name;
		this.description = description;
		this.sizeBytes = options.disk.sizeBytes;
		this.#options = options;
	}

	readNow(into: Buffer, at: number, offset: number, length: number): ReadNow {
		return this.#options.disk.readNow(into, at, offset, length);
	}

	lend(offset: number, length: number): { bytes: readonly Buffer[]; free: () => void } | undefined {
		return this.#options.disk.lend(offset, length);
	}

	readLater(offset: number, length: number, done: ReadDone): Pending {
		return new DiskRead(this.#options, offset, length, done).start();
	}

	blockStatus(
		contexts: readonly string[],
		range: StatusRange,
		done: (result: Extent[][] | NbdFailure) => void,
	): Pending {
		return new StatusQuery(this.#options, contexts, range, done).start();
	}

	willNeed(offset: number, length: number): void {
		const { disk } = this.#options;
		const { chunkSizeBytes } = disk.image;
		const end = offset + Math.min(length, maxCacheRequestBytes);
		disk.fetchAhead(Math.floor(offset / chunkSizeBytes), Math.ceil(end / chunkSizeBytes));
	}

	writeRefused(offset: number, length: number): void {
		this.#options.onWriteRefused?.({ export: this.name, offset, length });
	}
}
